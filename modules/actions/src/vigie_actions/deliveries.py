"""All sinks of the configuration: made, changed and ended as the twin says; every event goes to those that want it."""

from __future__ import annotations

import threading

from vigie.errors import ConfigRefusedError, LedgerUnavailableError
from vigie.ledger.priorities import priority
from vigie.ledger.rows import LedgerEntry
from vigie.log import get_logger
from vigie.service import Service
from vigie_actions.config import ActionsConfig
from vigie_actions.delivery import SinkDelivery
from vigie_actions.delivery_metrics import DeliveryMetrics
from vigie_actions.event import EventHead, is_wanted
from vigie_actions.sinks.registry import Settings, entries, make
from vigie_actions.sinks.sink import Sink, Surroundings

log = get_logger("actions")

_MOVES_S = 180.0


class Deliveries:
    """``configure`` is called on the twin's thread, ``record`` on the receiving one, the rest from any."""

    def __init__(self, service: Service[ActionsConfig], around: Surroundings) -> None:
        self._service, self._around = service, around
        self._metrics = DeliveryMetrics(service.metrics)
        self._lock = threading.Lock()
        self._by_path: dict[str, SinkDelivery] = {}
        self._stopping = threading.Event()

    def all(self) -> list[SinkDelivery]:
        with self._lock:
            return list(self._by_path.values())

    def closed(self) -> list[str]:
        """Folders of sinks that left the twin, with what waited for them."""
        open_now = {one.path for one in self.all()}
        folder = self._service.env.state / "sinks"
        try:
            return sorted(one.name for one in folder.iterdir() if one.name not in open_now)
        except FileNotFoundError:
            return []

    def configure(self, new: ActionsConfig) -> None:
        """Raises: ConfigRefusedError: a sink that cannot be made, by its path; nothing has changed then."""
        wanted = dict(entries(new))
        with self._lock:
            before = dict(self._by_path)
        made: dict[str, Sink] = {}
        for path, settings in wanted.items():
            if path not in before or before[path].settings != settings:
                made[path] = self._made(path, settings)
        for path in before.keys() - wanted.keys():
            before[path].end()
            log.info("sink_removed", sink=path)
        after = {path: before[path] for path in before.keys() & wanted.keys()}
        for path, sink in made.items():
            if path in after:
                after[path].adopt(wanted[path], sink)
            else:
                after[path] = self._started(path, wanted[path], sink)
        with self._lock:
            self._by_path = after
        self._report()

    def record(self, events: list[tuple[EventHead, bytes]]) -> None:
        """On disk of every sink that wants them when it returns. Raises: LedgerUnavailableError: try all again."""
        for delivery in self.all():
            wanted = delivery.settings.wanted
            delivery.record(
                [
                    LedgerEntry(head.key, head.camera, body, priority(head.type, head.severity))
                    for head, body in events
                    if is_wanted(wanted, head)
                ]
            )

    def show(self) -> None:
        """Bring the gauges up to date."""
        for delivery in self.all():
            try:
                backlog = delivery.backlog()
            except LedgerUnavailableError:
                continue
            self._metrics.waiting.labels(delivery.path).set(backlog.items + backlog.in_flight)

    def _made(self, path: str, settings: Settings) -> Sink:
        try:
            return make(settings, self._around)
        except ConfigRefusedError as error:
            raise ConfigRefusedError(f"$.{path}.{error.path}", error.reason) from error

    def _started(self, path: str, settings: Settings, sink: Sink) -> SinkDelivery:
        env = self._service.env
        folder = env.state / "sinks" / path
        delivery = SinkDelivery(
            path, settings, sink, folder, self._metrics, module_id=env.module_id, told=self._report, seals=env.seals
        )
        alive = self._service.health.watch(f"actions.{path}", _MOVES_S)

        def run(stop: threading.Event) -> None:
            try:
                delivery.run(stop, alive)
            finally:
                self._service.health.forget(alive)

        self._service.thread(f"actions.{path}", run)
        return delivery

    def _report(self) -> None:
        """Into the twin: what each sink does, and why it waits."""
        self._service.twin.report_whole(
            "sinks", {one.path.replace(".", "_"): _shown(one.state, one.reason) for one in self.all()} or None
        )
        waiting = {one.path: one.reason for one in self.all() if one.state in {"waiting", "refusing"}}
        self._service.health.note("sinks", "; ".join(f"{path}: {reason}" for path, reason in waiting.items()))


def _shown(state: str, reason: str) -> dict[str, str]:
    return (
        {"state": "ok", "reason": ""} if state in {"idle", "delivering"} else {"state": state, "reason": reason[:500]}
    )
