"""Processes that are killed, stopped for a while, or stopped for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from vigie_devkit.faults.fault import Fault, Put
from vigie_devkit.faults.signs import LogLine, Sign, UpSays, rises
from vigie_devkit.faults.system import FaultError, System

_MODULES = ("camera", "preprocess", "inference", "sync")
# What a module that was killed costs: the start of a process of Python, its libraries, its link to the hub.
_BACK_WITHIN_S = 20.0
_PAUSE_S = 12.0
# `up` waits for half a minute of silence, and gives ten seconds to end.
_FROZEN_S = 55.0
_PEERS = "edgeAgent restarts what ended after 10 s, doubling to 5 min; Frigate leaves it to Docker"
_PEERS_HANG = "edgeAgent: none, health checks are not acted on; Frigate's watchdog restarts a detector after 10 s"


def killing(name: str) -> Put:
    """``kill -9``."""

    @contextmanager
    def put(system: System) -> Iterator[None]:
        system.signal(name, signal.SIGKILL)
        yield

    return put


def pausing(name: str) -> Put:
    """SIGSTOP, and SIGCONT at the end."""

    @contextmanager
    def put(system: System) -> Iterator[None]:
        pid = system.pid(name)
        system.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    return put


def freezing(name: str) -> Put:
    """SIGSTOP for good: somebody has to end it."""

    @contextmanager
    def put(system: System) -> Iterator[None]:
        system.signal(name, signal.SIGSTOP)
        yield

    return put


@contextmanager
def _decoder_killed(system: System) -> Iterator[None]:
    children = system.family("camera")[1:]
    if not children:
        raise FaultError("the camera module has no decoder process")
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


@contextmanager
def _all_killed(system: System) -> Iterator[None]:
    for name in (*_MODULES, "hub"):
        system.signal(name, signal.SIGKILL)
    yield


@contextmanager
def _asked_to_end(system: System) -> Iterator[None]:
    for name in _MODULES:
        system.signal(name, signal.SIGTERM)
    yield


def _fault(name: str, what: str, put: Callable[[System], object], **promise: object) -> Fault:
    return Fault(name=name, what=what, put=put, **promise)  # type: ignore[arg-type] # passed on as they are


def process_faults() -> list[Fault]:
    """In the order of the flow."""
    started = {name: (LogLine(name, "module_starting"),) for name in _MODULES}
    faults = [
        _fault(f"kill-{name}", f"`kill -9` of {name}", killing(name), back_within_s=_BACK_WITHIN_S,
               signs=started[name], peers=_PEERS)
        for name in _MODULES
    ]  # fmt: skip
    faults.append(
        _fault("kill-hub", "`kill -9` of the hub", killing("hub"), back_within_s=_BACK_WITHIN_S,
               signs=(LogLine("sync", "hub_disconnected"),),
               peers="edgeHub: restarted by edgeAgent; messages stored before are kept")
    )  # fmt: skip
    faults.append(
        _fault("kill-everything", "`kill -9` of all modules and the hub at once", _all_killed, back_within_s=30.0,
               signs=started["sync"], peers=_PEERS)
    )  # fmt: skip
    faults.append(
        _fault("end-everything", "SIGTERM to all modules at once", _asked_to_end, back_within_s=30.0,
               signs=(LogLine("sync", "module_stopping"),), peers="none")
    )  # fmt: skip
    faults += [
        _fault(f"pause-{name}", f"{name} stands still for {_PAUSE_S:.0f} s (SIGSTOP)", pausing(name),
               hold_s=_PAUSE_S, back_within_s=_BACK_WITHIN_S, peers=_PEERS_HANG)
        for name in (*_MODULES, "hub")
    ]  # fmt: skip
    frozen: tuple[Sign, ...] = (
        UpSays("makes no progress and is started anew"),
        rises("inference", "vigie_health_restarts"),
        LogLine("inference", "module_was_restarted"),
    )
    faults.append(
        _fault("freeze-inference", "inference stands still for good", freezing("inference"),
               back_within_s=_FROZEN_S + 20, signs=frozen, peers=_PEERS_HANG)
    )  # fmt: skip
    return faults


def decoder_fault(setup: object) -> Fault:
    """Needs a camera whose decoder is a process of its own."""
    return _fault(
        "kill-decoder", "`kill -9` of a camera's decoder process", _decoder_killed, back_within_s=_BACK_WITHIN_S,
        signs=(rises("camera", "vigie_camera_failures_total"),), setup=setup,
        peers="Frigate: ffmpeg is started again when it ends, after 10 s",
    )  # fmt: skip
