"""The hub's rules on a table: events at times of our choosing, effects to look at. No socket, no clock."""

from __future__ import annotations

from typing import Any, NamedTuple

from vigie_edgehub.message import CopyTarget, Message
from vigie_edgehub.mqtt.packets import PubAck, Publish
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.effects import AnswerCall, Close, Deliver, Effect, Send, SendUpstream, Settle, Store
from vigie_edgehub.state.sessions import ClientLink
from vigie_edgehub.state.settings import HubSettings

DEVICE = "dev"
INPUTS = "devices/dev/modules/{}/inputs/#"
DAY = 86_400.0


class To(NamedTuple):
    endpoint: str
    priority: int = 5
    ttl_s: float | None = None


class Table:
    """Routes by the sender's output: ``{"out": [To("b/in")]}``; ``twin`` for twin changes."""

    def __init__(self, by_output: dict[str | None, list[To]]) -> None:
        self.by_output = by_output

    @property
    def endpoints(self) -> frozenset[str]:
        return frozenset(to.endpoint for targets in self.by_output.values() for to in targets)

    def match(self, message: Message) -> list[To]:
        return self.by_output.get("twin" if message.kind == "twinChangeEvents" else message.output, [])


class Rules:
    """A `HubState`, its effects collected in ``done``."""

    def __init__(
        self, routes: dict[str | None, list[To]], *, waiting: Any = None, state: Any = None, **settings: Any
    ) -> None:
        self.state = HubState(DEVICE, Table(routes), HubSettings(**settings), **(state or {}))
        self.done: list[Effect] = []
        self._links = iter(range(1, 10_000))
        self._keys = iter(range(1, 1_000_000))
        self._packets = iter(range(1, 1_000_000))
        self.state.restore(0.0, waiting or [])
        self.collect()

    def collect(self) -> list[Effect]:
        new = self.state.take_effects()
        self.done += new
        return new

    def connect(self, now: float, module: str, *, inputs: bool = True, **options: Any) -> ClientLink:
        options = {"clean_session": False, "keep_alive_s": 0, "token_expires_at": now + 365 * DAY} | options
        link = self.state.links.connect(now, next(self._links), f"{DEVICE}/{module}", module, **options)
        if inputs:
            self.state.subscribe(now, link, 1, [(INPUTS.format(module), 1)])
        self.collect()
        return link

    def lose(self, now: float, link: ClientLink) -> list[Effect]:
        self.state.links.lost(now, link.id)
        return self.collect()

    def send(
        self, now: float, link: ClientLink, output: str = "out", body: bytes = b"x", **options: Any
    ) -> list[Effect]:
        packet_id = options.pop("packet_id", None) or next(self._packets)
        message = Message(
            key=str(next(self._keys)),
            stored_at=now,
            source_module=link.session.module or "",
            output=output,
            kind="Telemetry",
            system={},
            application={},
            body=body,
        )
        self.state.publish(now, link, packet_id, message, dup=options.pop("dup", False))
        return self.collect()

    def ack(self, now: float, link: ClientLink, packet_id: int) -> list[Effect]:
        self.state.acknowledged(now, link, packet_id)
        return self.collect()

    def tick(self, now: float) -> list[Effect]:
        self.state.tick(now)
        return self.collect()


def deliveries(effects: list[Effect]) -> list[Deliver]:
    return [effect for effect in effects if isinstance(effect, Deliver)]


def pubacks(effects: list[Effect]) -> list[int]:
    return [
        effect.packet.packet_id for effect in effects if isinstance(effect, Send) and isinstance(effect.packet, PubAck)
    ]


def published(effects: list[Effect]) -> list[Publish]:
    return [effect.packet for effect in effects if isinstance(effect, Send) and isinstance(effect.packet, Publish)]


def of_kind(effects: list[Effect], kind: type) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


__all__ = [
    "DAY",
    "DEVICE",
    "INPUTS",
    "AnswerCall",
    "Close",
    "CopyTarget",
    "Rules",
    "SendUpstream",
    "Settle",
    "Store",
    "To",
    "deliveries",
    "of_kind",
    "pubacks",
    "published",
]
