"""The whole system under fault as containers: the project of compose.yaml, looked at through its engine."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vigie_devkit.faults.bystander import HUB_VOLUME, Bystander
from vigie_devkit.faults.composed_orphans import clear_orphans, project_name
from vigie_devkit.faults.engine_events import EngineEvents
from vigie_devkit.faults.system import FPS, STARTS_WITHIN_S, FaultError, Setup
from vigie_devkit.faults.watched import FLOW
from vigie_devkit.images.catalogue import GROUP, USERS, host_key, image_for
from vigie_devkit.images.compose import Compose, newest_compose
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import ImageError, NotBuiltError
from vigie_devkit.images.names import reference
from vigie_devkit.local.metrics import parse_exposition, total_of

HUB = "hub"
# What carries the flow, and `metrics`, by which it is looked at. The other modules are not started.
SERVICES = (HUB, *FLOW, "metrics")
FRAMES_VOLUME, LEDGER_VOLUME = "vigie-camera-frames", "vigie-sync"
_ANSWERS_WITHIN_S = 5.0


@dataclass(frozen=True)
class Images:
    """Those that are tried, by the variables of compose.yaml."""

    tag: str = ""
    registry: str = ""

    def of(self, module: str) -> str:
        return reference(image_for(module, host_key()), registry=self.registry, tag=self.tag)

    def check(self, engine: ContainerEngine) -> None:
        """Raises: NotBuiltError: one is not on the engine."""
        for module in (HUB, *FLOW):
            if engine.image(self.of(module)) is None:
                raise NotBuiltError(self.of(module))

    def environment(self) -> dict[str, str]:
        return {
            "VIGIE_IMAGES": f"{self.registry}/" if self.registry else "",
            "VIGIE_TAG": self.of(HUB).rpartition(":")[2].removesuffix(f"-{host_key()}"),
            "VIGIE_PLATFORM": host_key(),
            "VIGIE_ARCH": host_key(),
        }


@dataclass
class ComposedSystem:
    """One project that is up: what a trial looks at (`Watched`), and what faults take hold of."""

    compose: Compose
    seed: int
    bystander: Bystander
    events: EngineEvents
    recorded: set[str] = field(default_factory=set)
    """Traces that sync's ledger held, unsent, when a fault took it down."""

    def pid(self, service: str) -> int:
        """Of the container's first process, on the engine's machine. Raises: FaultError: it does not run."""
        pid = int(self.compose.inspect(service)["State"]["Pid"])
        if pid == 0:
            raise FaultError(f"{service}'s container does not run")
        return pid

    def networks(self, service: str) -> list[str]:
        return sorted(self.compose.inspect(service)["NetworkSettings"]["Networks"])

    def ask(self, *words: str, service: str) -> str:
        """An engine's command about the service's container, named last. Raises: EngineCommandError."""
        return self.compose.engine.ask(*words, self.compose.container(service))

    # -- Watched ------------------------------------------------------------------------------------------------------

    def has_ended(self) -> bool:
        return not self.bystander.is_alive()

    def tail(self) -> str:
        return self.compose.last_lines((HUB, *FLOW))[-4000:]

    def arrived(self, after: int) -> Iterator[tuple[int, str, bytes]]:
        return self.bystander.arrived(after)

    def metric(self, module: str, name: str, labels: Mapping[str, str]) -> float | None:
        status, text = self._relayed(f"{module}/metrics")
        return total_of((one for one in parse_exposition(text) if one.name == name), labels) if status == 200 else None

    def log_text(self, process: str) -> str:
        return self.compose.log_text(process)

    def screen(self) -> str:
        """What the engine has reported."""
        return self.events.text

    def reported_text(self, module: str) -> str:
        with suppress(ImageError):
            return json.dumps(json.loads(self.compose.vigie("twin", "get", module, "--reported")))
        return "{}"

    def unready(self, modules: Sequence[str]) -> list[str]:
        return [module for module in modules if self._relayed(f"{module}/readyz")[0] != 200]

    def hub_start(self) -> str:
        with suppress(ImageError):
            state = self.compose.inspect(HUB)["State"]
            return str(state["StartedAt"]) if state["Running"] else ""
        return ""

    def answers(self, module: str) -> bool:
        with suppress(ImageError):
            self.compose.vigie("method", module, "get_status", "--timeout", str(_ANSWERS_WITHIN_S))
            return True
        return False

    def patch(self, module: str, desired: Mapping[str, Any]) -> int:
        """As soon as the hub answers, which it may not do yet. Raises: ImageError: not within two minutes."""
        deadline = time.monotonic() + 120.0
        while True:
            try:
                self.compose.vigie("twin", "set", module, json.dumps(desired))
                return int(json.loads(self.compose.vigie("twin", "get", module, "--desired"))["$version"])
            except ImageError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)

    def _relayed(self, path: str) -> tuple[int, str]:
        """Status and text that the service `metrics` gives for a module; 0 while it does not answer."""
        try:
            bound = self.compose.inspect("metrics")["NetworkSettings"]["Ports"]["9600/tcp"][0]["HostPort"]
            with urllib.request.urlopen(f"http://127.0.0.1:{bound}/{path}", timeout=8.0) as answered:
                return int(answered.status), answered.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, ""
        except (OSError, ImageError, KeyError, IndexError, TypeError):
            return 0, ""


def starting(
    engine: ContainerEngine, images: Images
) -> Callable[[Path, Setup, int], AbstractContextManager[ComposedSystem]]:
    """How `try_all` starts a system of these images."""
    words = newest_compose(engine)

    @contextmanager
    def start(folder: Path, setup: Setup, seed: int) -> Iterator[ComposedSystem]:
        """The system with flow, as a project of its own; nothing of it is left at the end. Raises: FaultError."""
        clear_orphans(engine, words)
        environment = {
            **images.environment(),
            "VIGIE_CAMERA": f"synthetic://conveyor?seed={seed}&fps={FPS}",
            "VIGIE_CAMERA_FILE": "",  # whatever a developer has set for a composition of their own
            "VIGIE_MODEL": "",
            "VIGIE_PAGE_PORT": "0",
            "VIGIE_METRICS_PORT": "0",  # any free one
            **dict(setup.environment),
        }
        compose = Compose(engine, words, project_name(os.getpid()), environment)
        if setup.tmpfs:
            file = folder / "small-volumes.yaml"
            file.write_text(small_volumes(setup.tmpfs), encoding="utf-8")
            compose.overrides.append(file)
        try:
            with _up(compose, images, setup, seed) as system:
                _wait_for_items(system)
                system.patch("inference", {"runtime": {"measure": "off"}})  # it would only blur the trial's times
                yield system
        except ImageError as error:
            raise FaultError(str(error)) from error

    return start


@contextmanager
def _up(compose: Compose, images: Images, setup: Setup, seed: int) -> Iterator[ComposedSystem]:
    volumes = {HUB_VOLUME, FRAMES_VOLUME, LEDGER_VOLUME, *(name for name, _ in setup.tmpfs)}
    bystander = events = None
    try:
        compose.run("up", "--no-start", "--no-build", *SERVICES)
        events = EngineEvents(compose.engine, compose.project)
        bystander = Bystander(compose.engine, compose.project, images.of(HUB), sorted(volumes))
        compose.run("up", "--detach", "--no-build", *SERVICES)
        system = ComposedSystem(compose, seed, bystander, events)
        system.patch("sync", {"upstream": "detections"})  # every frame goes the whole way
        yield system
    finally:
        if bystander is not None:
            bystander.close()
        if events is not None:
            events.close()
        compose.run("down", "--volumes", "--timeout", "10")


def _wait_for_items(system: ComposedSystem) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not any(module == "sync" and b'"items"' in body for _, module, body in system.arrived(0)):
        if time.monotonic() > deadline or system.has_ended():
            raise FaultError(f"nothing came upstream within {STARTS_WITHIN_S:.0f} s\n{system.tail()}")
        time.sleep(0.5)


def small_volumes(sizes: Sequence[tuple[str, int]]) -> str:
    """A compose file in which these volumes have sizes in bytes. A module's state belongs to its user."""
    lines = ['version: "3.7"', "volumes:"]
    for volume, size in sizes:
        user = USERS[volume.removeprefix("vigie-")]
        options = f"size={size},uid={user},gid={GROUP},mode=0770"
        lines += [f"  {volume}:", "    driver_opts:", "      type: tmpfs", "      device: tmpfs", f"      o: {options}"]
    return "\n".join([*lines, ""])
