"""Containers short of something: a network, memory, room in a volume; and roots that nobody can write."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress

from vigie_devkit.faults.ability import Ability
from vigie_devkit.faults.composed import FRAMES_VOLUME, HUB, LEDGER_VOLUME, ComposedSystem
from vigie_devkit.faults.container_signs import EngineReports
from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.kit.containers import BACK_WITHIN_S
from vigie_devkit.faults.signs import LogLine
from vigie_devkit.faults.system import FaultError, Setup
from vigie_devkit.faults.watched import FLOW
from vigie_devkit.images.errors import EngineCommandError

_MB = 1 << 20
SMALL_VOLUME = Setup(name="small-volume", tmpfs=((LEDGER_VOLUME, 48 * _MB),))
_CUT_S = 20.0
_LINKS = "edgeHub closes a silent link after 1.5 keep-alives; the SDK alone is back 10 s after it noticed"
_DISKS = "edgeHub: stops taking messages; Stream Manager: refuses writes; Frigate: deletes its oldest recordings"


@makes_put
def cutting(system: ComposedSystem, service: str) -> Iterator[None]:
    """Off every network until the end: no address, no names, no neighbours."""
    engine, container, networks = system.compose.engine, system.compose.container(service), system.networks(service)
    for network in networks:
        engine.ask("network", "disconnect", network, container)
    try:
        yield
    finally:
        for network in networks:
            engine.ask("network", "connect", "--alias", service, network, container)


@makes_put
def exhausting_memory(system: ComposedSystem, service: str, room: int) -> Iterator[None]:
    """The limit is ``room`` bytes above what it holds, and something in the container takes more than that.

    The kernel is told to choose the first process, as it does where that is the one that grew.
    """
    before = int(system.compose.inspect(service)["HostConfig"]["Memory"])
    limit = str(_memory_in_use(system, service) + room)
    system.ask("update", "--memory", limit, "--memory-swap", limit, service=service)
    hog = f"open('/proc/1/oom_score_adj', 'w').write('1000'); held = b'x' * {room + 64 * _MB}"
    try:
        with suppress(EngineCommandError):  # it ends with the container
            system.compose.python(service, hog)
        yield
    finally:
        system.ask("update", "--memory", str(before), "--memory-swap", str(2 * before), service=service)


def _memory_in_use(system: ComposedSystem, service: str) -> int:
    """Bytes that its limit is compared with: cgroup v2's file, or v1's."""
    look = (
        "import os\n"
        "v2, v1 = '/sys/fs/cgroup/memory.current', '/sys/fs/cgroup/memory/memory.usage_in_bytes'\n"
        "print(open(v2 if os.path.exists(v2) else v1).read())"
    )
    return int(system.compose.python(service, look))


@makes_put
def filling(system: ComposedSystem, volume: str, *, leave: int = 0, kill: str = "") -> Iterator[None]:
    """Others take all of a volume but ``leave`` bytes until the end; ``kill``: who is started anew on it."""
    system.bystander.fill(volume, leave)
    try:
        if kill:
            system.bystander.signal(system.pid(kill), signal.SIGKILL)
        yield
    finally:
        system.bystander.free(volume)


_WRITE_EVERYWHERE = """
import json, os
written = []
for folder, _, names in os.walk('/', followlinks=False):
    if folder.startswith(('/proc', '/sys', '/dev')) or os.path.ismount(folder) and folder != '/': continue
    if os.stat(folder).st_dev != os.stat('/').st_dev: continue
    for path in [folder + '/.written', *(folder + '/' + name for name in names if name.endswith('.py'))][:4]:
        try: os.close(os.open(path, os.O_WRONLY | (os.O_CREAT if path.endswith('.written') else 0)))
        except OSError: continue
        written.append(path)
print(json.dumps(written[:5]))
"""


@makes_put
def writing_roots(system: ComposedSystem, services: Sequence[str]) -> Iterator[None]:
    """Somebody inside each container tries to change its root, as its user and as root."""
    for service in services:
        for user in ((), ("--user", "0")):
            words = ("exec", *user, system.compose.container(service), "python", "-I", "-B", "-c")
            written = json.loads(system.compose.engine.ask(*words, _WRITE_EVERYWHERE))
            if written:
                raise FaultError(f"{service}'s root took a write: {', '.join(written)}")
    yield


def container_limit_faults() -> list[Fault]:
    links, small = (Ability.NETWORKS,), (Ability.SMALL_VOLUMES,)
    return [
        Fault(name="cut-inference", what=f"inference is off its network for {_CUT_S:.0f} s", put=cutting("inference"),
              hold_s=_CUT_S, back_within_s=BACK_WITHIN_S, signs=(LogLine("inference", "hub_client_rebuilt"),),
              needs=links, peers=_LINKS),
        Fault(name="cut-sync", what=f"sync is off all its networks for {_CUT_S:.0f} s", put=cutting("sync"),
              hold_s=_CUT_S, back_within_s=BACK_WITHIN_S, signs=(LogLine("sync", "hub_client_rebuilt"),),
              needs=links, peers=_LINKS),
        Fault(name="cut-hub", what=f"the hub is off all networks for {_CUT_S:.0f} s", put=cutting(HUB),
              hold_s=_CUT_S, back_within_s=45.0, signs=(LogLine("sync", "hub_client_rebuilt"),),
              needs=links, peers=_LINKS),
        Fault(name="no-memory-inference", what="inference reaches its memory limit, and the kernel kills it",
              put=exhausting_memory("inference", 16 * _MB), back_within_s=BACK_WITHIN_S, needs=(Ability.MEMORY,),
              signs=(EngineReports("inference", "oom"), EngineReports("inference", "die exitCode=137")),
              peers="Docker kills, edgeAgent restarts after 10 s"),
        Fault(name="full-frames", what="others fill the frames' volume for 10 s, and camera is killed meanwhile",
              put=filling(FRAMES_VOLUME, leave=4096, kill="camera"), hold_s=10.0, back_within_s=BACK_WITHIN_S,
              needs=(Ability.PROCESSES,), peers=_DISKS),
        Fault(name="read-only-roots", what="somebody inside each container tries to write its root, also as root",
              put=writing_roots((HUB, *FLOW)), back_within_s=20.0),
        Fault(name="full-state-sync", what="others fill sync's state volume for 12 s", put=filling(LEDGER_VOLUME),
              hold_s=12.0, back_within_s=30.0, setup=SMALL_VOLUME, needs=small, peers=_DISKS),
        Fault(name="full-state-sync-kill", what="sync is killed while its state volume is full",
              put=filling(LEDGER_VOLUME, kill="sync"), hold_s=12.0, back_within_s=40.0, setup=SMALL_VOLUME,
              needs=(*small, Ability.PROCESSES), peers=_DISKS),
    ]  # fmt: skip
