"""Twins and methods as nobody should send them: wrong values, hundreds of changes, hundreds of calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from vigie.errors import HubAnswerError, HubAwayError
from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.signs import TwinSays
from vigie_devkit.faults.system import System

_WRONG: Mapping[str, Mapping[str, Any]] = {
    "camera": {"cameras": {"nowhere": {"source": 7}}},
    "preprocess": {"doorbells": "always"},
    "inference": {"score": 40, "runtime": {"objective": "speed"}},
    "sync": {"batch_items": -1, "upstream": 3},
}
_REMOVED: Mapping[str, Mapping[str, Any]] = {
    "camera": {"cameras": {"nowhere": None}},
    "preprocess": {"doorbells": None},
    "inference": {"score": None, "runtime": {"objective": None}},
    "sync": {"batch_items": None, "upstream": "detections"},
}


@contextmanager
def _wrong_twins(system: System) -> Iterator[None]:
    for module, desired in _WRONG.items():
        system.patch(module, desired)
    try:
        yield
    finally:
        for module, desired in _REMOVED.items():
            system.patch(module, desired)


@contextmanager
def _many_changes(system: System) -> Iterator[None]:
    for number in range(150):
        system.patch("inference", {"score": 0.2 + (number % 5) / 100})
    yield
    system.patch("inference", {"score": None})


@contextmanager
def _many_calls(system: System) -> Iterator[None]:
    hub = system.product.hub()

    def call() -> None:
        for number in range(20):
            with suppress(HubAnswerError, HubAwayError):
                name = ("get_status", "get_backlog", "no_such_method", "get_status")[number % 4]
                hub.invoke_method("sync", name, b"{}" if number % 2 else b'{"x":[[[', response_timeout_s=10)

    callers = [threading.Thread(target=call, name=f"faults.call-{number}") for number in range(8)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        for caller in callers:
            caller.join(120)


def flood_faults() -> list[Fault]:
    return [
        Fault(name="twin-wrong", what="every module's twin gets wrong values", put=_wrong_twins, hold_s=5.0,
              back_within_s=15.0, signs=(TwinSays("inference", '"ac": 400'), TwinSays("sync", '"ac": 400')),
              peers="none: what a wrong twin does is each module's own affair"),
        Fault(name="twin-flood", what="150 changes of a twin one after the other", put=_many_changes,
              back_within_s=15.0, peers="none"),
        Fault(name="method-flood", what="160 direct methods of sync, eight at a time, half of them malformed",
              put=_many_calls, back_within_s=15.0, peers="none"),
    ]  # fmt: skip
