"""Processes that are killed, stopped for a while, or stopped for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.signs import LogLine, Sign, UpSays, rises
from vigie_devkit.faults.system import FaultError, Setup, System

_MODULES = ("camera", "preprocess", "inference", "sync")
# What a module that was killed costs: the start of a process of Python, its libraries, its link to the hub.
_BACK_WITHIN_S = 20.0
_PAUSE_S = 12.0
# `up` waits for half a minute of silence, and gives ten seconds to end.
_FROZEN_S = 55.0
_PEERS = "edgeAgent restarts what ended after 10 s, doubling to 5 min; Frigate leaves it to Docker"
_PEERS_HANG = "edgeAgent: none, health checks are not acted on; Frigate's watchdog restarts a detector after 10 s"


@makes_put
def sending(system: System, number: signal.Signals, *names: str) -> Iterator[None]:
    """A signal, and nothing to take it back."""
    for name in names:
        system.signal(name, number)
    yield


@makes_put
def pausing(system: System, name: str) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    pid = system.pid(name)
    system.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def _decoder_killed(system: System) -> Iterator[None]:
    children = system.family("camera")[1:]
    if not children:
        raise FaultError("the camera module has no decoder process")
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


def process_faults() -> list[Fault]:
    """In the order of the flow."""
    started = {name: (LogLine(name, "module_starting"),) for name in _MODULES}
    everything = (*_MODULES, "hub")
    frozen: tuple[Sign, ...] = (
        UpSays("makes no progress and is started anew"),
        rises("inference", "vigie_health_restarts"),
        LogLine("inference", "module_was_restarted"),
    )
    return [
        *(
            Fault(name=f"kill-{name}", what=f"`kill -9` of {name}", put=sending(signal.SIGKILL, name),
                  back_within_s=_BACK_WITHIN_S, signs=started[name], peers=_PEERS)
            for name in _MODULES
        ),
        Fault(name="kill-hub", what="`kill -9` of the hub", put=sending(signal.SIGKILL, "hub"),
              back_within_s=_BACK_WITHIN_S, signs=(LogLine("sync", "hub_disconnected"),),
              peers="edgeHub: restarted by edgeAgent; messages stored before are kept"),
        Fault(name="kill-everything", what="`kill -9` of all modules and the hub at once",
              put=sending(signal.SIGKILL, *everything), back_within_s=30.0, signs=started["sync"], peers=_PEERS),
        Fault(name="end-everything", what="SIGTERM to all modules at once", put=sending(signal.SIGTERM, *_MODULES),
              back_within_s=30.0, signs=(LogLine("sync", "module_stopping"),), peers="none"),
        *(
            Fault(name=f"pause-{name}", what=f"{name} stands still for {_PAUSE_S:.0f} s (SIGSTOP)", put=pausing(name),
                  hold_s=_PAUSE_S, back_within_s=_BACK_WITHIN_S, peers=_PEERS_HANG)
            for name in everything
        ),
        Fault(name="freeze-inference", what="inference stands still for good", put=sending(signal.SIGSTOP, "inference"),
              back_within_s=_FROZEN_S + 20, signs=frozen, peers=_PEERS_HANG),
    ]  # fmt: skip


def decoder_fault(setup: Setup) -> Fault:
    """Needs a camera whose decoder is a process of its own."""
    return Fault(
        name="kill-decoder", what="`kill -9` of a camera's decoder process", put=_decoder_killed,
        back_within_s=_BACK_WITHIN_S, signs=(rises("camera", "vigie_camera_failures_total"),), setup=setup,
        peers="Frigate: ffmpeg is started again when it ends, after 10 s",
    )  # fmt: skip
