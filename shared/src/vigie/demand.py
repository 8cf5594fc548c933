"""A module's side of the viewer: it says how it is when asked, and which frames are wanted just now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from vigie.config.schema import config_schema
from vigie.contracts import names
from vigie.contracts.demand import Demand, ModuleStatus
from vigie.log import redact
from vigie.service import Service

_POLL_S = 1.0
# A viewer that died must not go on costing: whatever it asked for ends by itself.
LONGEST_S = 10.0


class Demands:
    """Which frames the viewer wants. ``wants`` is asked once per frame from any thread and costs nothing when idle."""

    def __init__(self, service: Service[Any], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Declares input ``demand`` and output ``status``; run ``run`` on a thread of its own."""
        self._service = service
        self._clock = clock
        self._demands = service.input(names.DEMAND, Demand, capacity=4)
        self._statuses = service.unwatched_output(names.STATUS, ModuleStatus)
        self._cameras: Mapping[str, int] = {}
        self._until = 0.0
        # What a module sends to the viewer beside its status: called with each demand, on the thread of demands.
        self.answer_also: Callable[[Demand], None] = lambda _demand: None

    def wants(self, camera: str, seq: int) -> bool:
        """Whether the viewer wants frame ``seq`` of ``camera``."""
        every = self._cameras.get(camera)
        return every is not None and seq % every == 0 and self._clock() < self._until

    def take(self, demand: Demand) -> None:
        """Let ``demand`` replace the one before."""
        self._until = self._clock() + min(demand.seconds, LONGEST_S)
        self._cameras = {camera: max(1, every) for camera, every in demand.cameras.items()}

    def run(self, stop: threading.Event) -> None:
        """Answer until ``stop`` is set: the body of a worker thread."""
        while not stop.is_set():
            received = self._demands.get(_POLL_S)
            if received is None:
                if self._cameras and self._clock() >= self._until:
                    self._cameras = {}
                continue
            for demand in received.items[-1:]:
                self.take(demand)
                self._statuses.offer(status_of(self._service, schema=demand.schema), key="", keep=False)
                self.answer_also(demand)
            received.done()


def offer_demands(service: Service[Any]) -> Demands:
    """Answer the viewer; call it before ``service.start``."""
    demands = Demands(service)
    service.thread(f"{service.env.name}.demand", demands.run)
    return demands


def status_of(service: Service[Any], *, schema: bool) -> ModuleStatus:
    """How the module is now."""
    config = service.twin.current
    return ModuleStatus(
        module=service.env.module_id,
        version=service.module_version,
        boot=service.env.boot,
        uptime_s=round(service.uptime_s, 1),
        missing=service.health.missing(),
        notes=service.health.notes(),
        twin_version=service.twin.version,
        desired={} if config is None else redacted(msgspec.to_builtins(config)),
        reported=redacted(service.twin.reported()),
        metrics=service.metrics.values(),
        schema=config_schema(service.twin.config_type) if schema else None,
    )


def redacted(value: Any) -> Any:
    """JSON-like ``value`` with the passwords in its strings hidden."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner) for inner in value]
    return value
