"""Which abilities the engine at hand lacks: each is tried on a small container before any fault is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from vigie_devkit.faults.ability import Ability
from vigie_devkit.faults.fault import Fault
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import EngineCommandError


def missing_abilities(engine: ContainerEngine, image: str) -> dict[Ability, str]:
    """What this engine cannot do, each with its own words. Tried on a container of ``image``, which has Python."""
    name = f"vigie-faults-probe-{os.getpid()}"
    found = {}
    with _probe(engine, name, image):
        for ability, attempt in _attempts(engine, name, image).items():
            try:
                attempt()
            except EngineCommandError as error:
                found[ability] = str(error)
    return found


def split(faults: Sequence[Fault], missing: Mapping[Ability, str]) -> tuple[list[Fault], list[str]]:
    """Those that can be tried, and a sentence per ability that is missing, with the faults it costs."""
    possible = [one for one in faults if not any(need in missing for need in one.needs)]
    sentences = []
    for ability, reason in missing.items():
        lost = [one.name for one in faults if ability in one.needs]
        if lost:
            sentences.append(f"this engine cannot {ability}; not tried: {', '.join(lost)} ({reason})")
    return possible, sentences


@contextmanager
def _probe(engine: ContainerEngine, name: str, image: str) -> Iterator[None]:
    """A container that does nothing, on a network of its own. Raises: EngineCommandError: not even that."""
    engine.ask("network", "create", "--internal", name)
    try:
        engine.ask("run", "--detach", "--rm", "--name", name, "--network", name, "--memory", "64m",
                   "--entrypoint", "python", image, "-I", "-c", "import time; time.sleep(300)")  # fmt: skip
        yield
    finally:
        for words in (("rm", "--force", name), ("network", "rm", name), ("volume", "rm", "--force", name)):
            with suppress(EngineCommandError):
                engine.ask(*words)


def _attempts(engine: ContainerEngine, name: str, image: str) -> Mapping[Ability, Callable[[], object]]:
    def pause() -> None:
        engine.ask("pause", name)
        engine.ask("unpause", name)

    def change_networks() -> None:
        engine.ask("network", "disconnect", name, name)
        engine.ask("network", "connect", "--alias", "again", name, name)

    def change_memory() -> None:
        engine.ask("update", "--memory", "48m", "--memory-swap", "48m", name)
        limit = json.loads(engine.ask("inspect", name))[0]["HostConfig"]["Memory"]
        if limit != 48 << 20:
            raise EngineCommandError(["update", "--memory"], f"the limit is {limit} bytes afterwards")

    def see_processes() -> None:
        pid = json.loads(engine.ask("inspect", name))[0]["State"]["Pid"]
        _once(engine, image, f"import os; os.kill({pid}, 0)", "--pid", "host", "--cap-add", "KILL")

    def make_small_volume() -> None:
        engine.ask("volume", "create", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs",
                   "--opt", "o=size=1m", name)  # fmt: skip
        look = "import os; s = os.statvfs('/v'); raise SystemExit(s.f_blocks * s.f_frsize > 1 << 20)"
        _once(engine, image, look, "--volume", f"{name}:/v:nocopy")

    def share_clock() -> None:
        before = time.monotonic()
        there = float(_once(engine, image, "import time; print(time.monotonic())"))
        if not before - 1.0 <= there <= time.monotonic() + 1.0:
            raise EngineCommandError(["clock"], f"{there:.0f} s there, {before:.0f} s here")

    return {
        Ability.PAUSE: pause,
        Ability.NETWORKS: change_networks,
        Ability.MEMORY: change_memory,
        Ability.PROCESSES: see_processes,
        Ability.SMALL_VOLUMES: make_small_volume,
        Ability.CLOCK: share_clock,
    }


def _once(engine: ContainerEngine, image: str, code: str, *options: str) -> str:
    return engine.ask("run", "--rm", "--user", "0", "--network", "none", "--cap-drop", "ALL", *options,
                      "--entrypoint", "python", image, "-I", "-c", code)  # fmt: skip
