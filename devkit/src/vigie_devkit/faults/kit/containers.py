"""Containers that are killed, stopped, restarted, paused, hung, or taken down and up again."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vigie_devkit.faults.ability import Ability
from vigie_devkit.faults.composed import HUB, LEDGER_VOLUME, SERVICES, ComposedSystem
from vigie_devkit.faults.container_signs import EngineReports, LedgerIsKept
from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.signs import AnswersAgain, LogLine, rises
from vigie_devkit.faults.system import FaultError
from vigie_devkit.faults.watched import FLOW
from vigie_devkit.local.container import HOME

# A container's start, a process of Python, its libraries, its link to the hub.
BACK_WITHIN_S = 30.0
_PAUSE_S = 12.0
_RECORDED_FOR_S = 10.0
# Three checks 30 s apart, each with an answer that does not come, and 8 s to end; the check before may be 30 s away.
_HANG_ENDED_WITHIN_S = 180.0
# A minute without an answer, checks 5 s apart that wait 3 s, the stop, a container's start and the modules' links.
_HUNG_HUB_ENDED_WITHIN_S = 120.0
_RESTARTS = "edgeAgent restarts what ended after 10 s, doubling to 5 min; Frigate leaves it to Docker"
_UNHEALTHY = "edgeAgent and Docker: only marked as unhealthy; Frigate's watchdog restarts a detector after 10 s"


@makes_put
def killing(system: ComposedSystem, *services: str) -> Iterator[None]:
    """``kill -9`` by the kernel, as when memory is short: the restart policy acts."""
    pids = [system.pid(service) for service in services]
    for pid in pids:
        system.bystander.signal(pid, signal.SIGKILL)
    yield


@makes_put
def killing_by_engine(system: ComposedSystem, service: str) -> Iterator[None]:
    """``docker kill``: somebody's act, which the restart policy leaves alone until ``docker start``."""
    system.ask("kill", service=service)
    try:
        yield
    finally:
        system.ask("start", service=service)


@makes_put
def pausing(system: ComposedSystem, service: str) -> Iterator[None]:
    """``docker pause``, and ``unpause`` at the end: the freezer, of which the processes notice nothing."""
    system.ask("pause", service=service)
    try:
        yield
    finally:
        system.ask("unpause", service=service)


@makes_put
def restarting(system: ComposedSystem, *services: str) -> Iterator[None]:
    """``docker compose restart``: SIGTERM, ten seconds, SIGKILL, and a start."""
    system.compose.run("restart", "--timeout", "10", *services)
    yield


@makes_put
def hanging(system: ComposedSystem, service: str) -> Iterator[None]:
    """SIGSTOP for good: the container runs and does nothing."""
    system.bystander.signal(system.pid(service), signal.SIGSTOP)
    yield


@contextmanager
def _hanging_hub(system: ComposedSystem) -> Iterator[None]:
    """SIGSTOP of the hub for good, while the init of its container lives on."""
    stop = "import json, os, signal, sys; os.kill(json.load(open(sys.argv[1]))['pid'], signal.SIGSTOP)"
    system.compose.engine.ask("exec", system.compose.container(HUB), "python", "-c", stop, f"{HOME}/hub/hub.json")
    yield


@contextmanager
def _down_and_up(system: ComposedSystem) -> Iterator[None]:
    """With something in sync's ledger that is not sent: it has lost the hub when everything is taken down."""
    [network] = [one for one in system.networks("sync") if one.endswith("_edge-sync")]
    system.compose.engine.ask("network", "disconnect", network, system.compose.container("sync"))
    time.sleep(_RECORDED_FOR_S)
    system.compose.run("down", "--timeout", "10")
    system.recorded = system.bystander.recorded(LEDGER_VOLUME)
    if not system.recorded:
        raise FaultError("sync recorded nothing while it had no network: there is nothing to be kept")
    system.compose.run("up", "--detach", "--no-build", *SERVICES)
    yield


def container_faults() -> list[Fault]:
    killed, processes = "die exitCode=137", (Ability.PROCESSES,)
    everything = (HUB, *FLOW)
    heard = tuple(AnswersAgain(module) for module in FLOW)
    faults = [
        Fault(name=f"kill-{service}", what=f"`kill -9` of {'the hub' if service == HUB else service}",
              put=killing(service), back_within_s=BACK_WITHIN_S, needs=processes, peers=_RESTARTS,
              signs=(EngineReports(service, killed), *(heard if service == HUB else ())))
        for service in (*FLOW, HUB)
    ]  # fmt: skip
    faults += [
        Fault(name="kill-everything", what="`kill -9` of all modules and the hub at once",
              put=killing(*everything), back_within_s=45.0, needs=processes, peers=_RESTARTS,
              signs=(*(EngineReports(one, killed) for one in everything), *heard)),
        Fault(name="docker-kill-inference", what="`docker kill` of inference, and `docker start` 10 s later",
              put=killing_by_engine("inference"), hold_s=10.0, back_within_s=BACK_WITHIN_S,
              signs=(EngineReports("inference", killed),),
              peers="edgeAgent starts it again; Docker leaves alone what somebody killed"),
        *(
            Fault(name=f"pause-{service}", what=f"`docker pause` of {service} for {_PAUSE_S:.0f} s",
                  put=pausing(service), hold_s=_PAUSE_S, back_within_s=20.0, needs=(Ability.PAUSE,),
                  signs=(EngineReports(service, "pause"),))
            for service in ("camera", "inference", "sync", HUB)
        ),
        Fault(name="restart-sync", what="`docker compose restart sync`", put=restarting("sync"),
              back_within_s=BACK_WITHIN_S, signs=(LogLine("sync", "module_stopping"),)),
        Fault(name="restart-everything", what="`docker compose restart` of every module and the hub at once",
              put=restarting(*everything), back_within_s=45.0, signs=(LogLine("sync", "module_stopping"), *heard)),
        Fault(name="hang-inference", what="inference stands still for good (SIGSTOP)",
              put=hanging("inference"), back_within_s=_HANG_ENDED_WITHIN_S, needs=processes, peers=_UNHEALTHY,
              signs=(rises("inference", "vigie_health_restarts"), LogLine("inference", "module_was_restarted"))),
        Fault(name="hang-hub", what="the hub stands still for good (SIGSTOP)",
              put=_hanging_hub, back_within_s=_HUNG_HUB_ENDED_WITHIN_S, peers=_UNHEALTHY,
              signs=(EngineReports(HUB, "die exitCode=0"), *heard)),
        Fault(name="down-up", what="sync loses its network, then `docker compose down` and `up`",
              put=_down_and_up, back_within_s=90.0, needs=(Ability.NETWORKS,), signs=(LedgerIsKept(), *heard)),
    ]  # fmt: skip
    return faults
