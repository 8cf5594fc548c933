"""The doorbell side of one output: whom it may ring, and what is on its way there. With the outbox's lock held."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from vigie.contracts.lease import LeaseAnswer, LeasedKey, RouteLease
from vigie.frames.doorbell import SOCKET_NAME, Ringer, Rung, inode_of, socket_name
from vigie.log import OncePer, get_logger
from vigie.messaging.leases import Leases
from vigie.messaging.window import Window

log = get_logger(__name__)

# A larger message goes by the route: whether the kernel takes it as one datagram depends on its settings.
DATAGRAM_BODY_MAX = 150_000


class Progress(Protocol):
    """Where the consumer is: a cursor in the signals folder."""

    def position(self, boot: str) -> int | None:
        """Highest processed ``sent``; None: not known."""


class _Consumer:
    def __init__(self, ringer: Ringer, progress: Progress) -> None:
        self.ringer = ringer
        self.progress = progress


class BellOutput:
    """Made once for an output. ``open_cursor(module, input)``: the doorbell lane's cursor of a consumer."""

    def __init__(
        self,
        folder: Path,
        declared: tuple[str, str],
        window: Window,
        *,
        answers: str,
        grace_s: float,
        link_up: Callable[[], bool],
        open_cursor: Callable[[str, str], Progress],
    ) -> None:
        self._folder, self._declared, self._answers = folder, declared[0], answers
        self._doorbell = socket_name("bell", *declared)
        self._link_up, self._open_cursor = link_up, open_cursor
        self.window = window
        self.leases = Leases(grace_s)
        self.nonce = secrets.token_hex(16)
        self.last_sent = 0
        self._consumers: dict[str, _Consumer] = {}
        self._encode = msgspec.json.Encoder().encode
        self._quiet = OncePer(10.0)

    @property
    def is_known(self) -> bool:
        """Somebody has answered at some time."""
        return bool(self._consumers)

    def consumer_is_there(self) -> bool:
        """The declared consumer has a doorbell in this folder, so that leases are not sent to who knows none."""
        return inode_of(self._folder, self._doorbell) is not None

    def whom(self, key: str, now: float) -> list[str]:
        """Whose doorbells to ring for ``key``; empty: it goes by the route."""
        if not self._consumers:
            return []
        found = self.leases.open_for(key, now, link_up=self._link_up())
        return [consumer for consumer in found if consumer in self._consumers]

    def position(self, boot: str) -> int:
        """What the declared consumer has processed of this lane, or the first other one where there is none of it."""
        consumer = self._consumers.get(self._declared) or next(iter(self._consumers.values()), None)
        return 0 if consumer is None else consumer.progress.position(boot) or 0

    def ring(self, consumers: set[str], body: bytes, *, wake: bool) -> Rung:
        """Ring all of ``consumers`` with one message.

        Returns: GONE: all are; their doorbells are closed. FULL: the declared one is, nothing was rung.
        """
        datagram = b"%b %d\n%b" % (self.nonce.encode(), wake, body)
        outcome = Rung.GONE
        for name in sorted(consumers, key=lambda name: name != self._declared):
            consumer = self._consumers.get(name)
            if consumer is None:
                continue
            rung = consumer.ringer.ring(datagram)
            if rung is Rung.GONE:
                self._close(name)
            elif rung is Rung.DONE:
                outcome = rung
            elif outcome is Rung.GONE:
                return rung
        return outcome

    def answered(self, answer: LeaseAnswer, uid: int, now: float) -> bool:
        """An answer to a lease of ours. True: a doorbell is open that was not."""
        if answer.away:
            if answer.consumer in self._consumers:
                self.leases.consumer_away(answer.consumer, now)
            return False
        if SOCKET_NAME.fullmatch(answer.doorbell) is None:
            return False
        consumer = self._consumers.get(answer.consumer)
        if consumer is None or consumer.ringer.inode != inode_of(self._folder, answer.doorbell):
            try:
                ringer = Ringer.connect(self._folder, answer.doorbell, uid)
            except OSError as error:
                if (held := self._quiet.ready("connect")) is not None:
                    log.warning("doorbell_not_reached", consumer=answer.consumer, reason=str(error), more=held)
                return False
            if consumer is not None:
                consumer.ringer.close()
            self._consumers[answer.consumer] = _Consumer(ringer, self._open_cursor(answer.consumer, answer.input))
            log.info("doorbell_reached", consumer=answer.consumer, input=answer.input)
        return self.leases.answered(answer.consumer, answer.camera, answer.number, now)

    def lease_body(self, schema: str, module: str, boot: str, key: str, number: int) -> bytes:
        """The message of lease ``number`` for ``key``."""
        return self._encode(
            RouteLease(
                schema, module, boot, 0, [LeasedKey(key)], self.nonce, number, self._answers, self.leases.grace_s
            )
        )

    def close(self) -> None:
        for name in list(self._consumers):
            self._close(name)

    def _close(self, name: str) -> None:
        self._consumers.pop(name).ringer.close()
        self.leases.gone(name)
        log.info("doorbell_gone", consumer=name)
