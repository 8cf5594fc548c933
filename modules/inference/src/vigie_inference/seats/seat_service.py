"""What the parts of a seat see of the module's service: their own folder, names and part of the twin.

So the classes that choose a runtime, bring a release and report are the same for every seat.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any, Protocol

from vigie.config.environment import ModuleEnvironment
from vigie.health import Health, Watchdog
from vigie.metrics import MetricsPart
from vigie.service import Service
from vigie_inference.config import InferenceConfig

FOLDER = "seats"
REPORTED = "models_state"
# Of the runtime, which ``get_runtime`` shows whole: several of them must fit into one twin.
_RUNTIME_SHOWN = ("phase", "objective", "serving", "chosen", "unmet")


class SeatTwin(Protocol):
    """See ``TwinFeed``."""

    def report(self, patch: dict[str, Any]) -> None: ...

    def report_whole(self, name: str, value: dict[str, Any] | None) -> None: ...


class SeatHealth(Protocol):
    """See ``Health``."""

    def watch(self, name: str, limit_s: float) -> Watchdog: ...

    def not_ready(self, part: str, reason: str) -> None: ...

    def ready(self, part: str) -> None: ...

    def note(self, part: str, text: str) -> None: ...


class SeatService(Protocol):
    """See ``Service``, which is that of the main seat."""

    @property
    def env(self) -> ModuleEnvironment: ...

    @property
    def metrics(self) -> MetricsPart: ...

    @property
    def twin(self) -> SeatTwin: ...

    @property
    def health(self) -> SeatHealth: ...

    def fail(self, error: Exception) -> None: ...


class NamedSeatService:
    """Of the seat ``name``."""

    def __init__(self, service: Service[InferenceConfig], name: str, told: ToldOfSeats) -> None:
        env, own = service.env, f"{FOLDER}/{name}"
        self._service = service
        self.env = dataclasses.replace(
            env, state=env.state / own, runtimes=None if env.runtimes is None else env.runtimes / own
        )
        self.metrics = service.metrics.part("seat", name)
        self.twin = _Twin(told, name)
        self.health = _Health(service.health, name)

    def fail(self, error: Exception) -> None:
        self._service.fail(error)

    def close(self) -> None:
        """Nothing of the seat is told any longer."""
        self._service.metrics.without(self.metrics)
        self.twin.close()
        self.health.close()


class ToldOfSeats:
    """One reported property holds what is told of all seats."""

    def __init__(self, report_whole: Callable[[str, dict[str, Any] | None], None]) -> None:
        self._report_whole = report_whole
        self._lock = threading.Lock()
        self._seats: dict[str, dict[str, Any]] = {}

    def tell(self, seat: str, what: str, value: Any) -> None:
        """``value`` None: removed from what is reported."""
        with self._lock:
            told = {**self._seats.get(seat, {}), what: value}
            self._seats[seat] = {key: one for key, one in told.items() if one is not None}
            self._send()

    def forget(self, seat: str) -> None:
        with self._lock:
            if self._seats.pop(seat, None) is not None:
                self._send()

    def nothing(self) -> None:
        """What a start before told is gone."""
        self._report_whole(REPORTED, None)

    def _send(self) -> None:
        """The lock is held."""
        # Never null: a null that another value follows at once takes nothing away.
        self._report_whole(REPORTED, dict(self._seats))


class _Twin:
    """``model_state`` becomes ``models_state.<seat>.model``, and so on."""

    def __init__(self, told: ToldOfSeats, name: str) -> None:
        self._told, self._name, self._closed = told, name, False

    def report(self, patch: dict[str, Any]) -> None:
        for what, value in patch.items():
            self.report_whole(what, value)

    def report_whole(self, name: str, value: dict[str, Any] | None) -> None:
        if self._closed:
            return
        if name == "runtime_state" and value is not None:
            value = {key: value[key] for key in _RUNTIME_SHOWN if value.get(key)}
        if name == "model_state" and value is not None:
            value = {key: one for key, one in value.items() if key != "shelf"}
        self._told.tell(self._name, name.removesuffix("_state"), value)

    def close(self) -> None:
        self._closed = True
        self._told.forget(self._name)


class _Health:
    """The same under names of the seat. A seat without a model makes the module no less ready: another one serves."""

    def __init__(self, health: Health, name: str) -> None:
        self._health, self._name = health, name
        self._dogs: list[Watchdog] = []
        self._parts: set[str] = set()

    def watch(self, name: str, limit_s: float) -> Watchdog:
        dog = self._health.watch(f"{name}.{self._name}", limit_s)
        self._dogs.append(dog)
        return dog

    def not_ready(self, part: str, reason: str) -> None:
        if part == "inference.model":
            return
        self._parts.add(part)
        self._health.not_ready(f"{part}.{self._name}", reason)

    def ready(self, part: str) -> None:
        self._health.ready(f"{part}.{self._name}")

    def note(self, part: str, text: str) -> None:
        self._parts.add(part)
        self._health.note(f"{part}.{self._name}", text)

    def close(self) -> None:
        for dog in self._dogs:
            self._health.forget(dog)
        for part in self._parts:
            self._health.ready(f"{part}.{self._name}")
            self._health.note(f"{part}.{self._name}", "")
