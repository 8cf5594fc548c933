"""A real container engine and the compose file on it, as a person starts it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vigie_devkit.images import compose as product
from vigie_devkit.images.compose import compose_programs
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import EngineCommandError

__all__ = ["MODULES", "ROOT", "SERVICES", "Compose", "compose_programs", "composed", "until"]

ROOT = Path(__file__).parents[2]
MODULES = ("camera", "preprocess", "inference", "sync")
SERVICES = ("hub", *MODULES)
T = TypeVar("T")


def until(look: Callable[[], T], within_s: float, what: str) -> T:
    """The first truthy answer of ``look``, asked again and again: containers tell nobody that they are ready."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.5)
    return found


@dataclass
class Compose(product.Compose):
    """One project of compose.yaml with what the tests look at."""

    def set_twin(self, module: str, desired: dict[str, Any], within_s: float = 120) -> None:
        """As soon as the hub answers."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                self.vigie("twin", "set", module, json.dumps(desired))
            except EngineCommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def upstream(self) -> list[dict[str, Any]]:
        """Everything that reached the cloud side so far, oldest first."""
        return [json.loads(line) for line in self.vigie("upstream", "export").splitlines()]

    def items_upstream(self) -> list[dict[str, Any]]:
        return [item for message in self.upstream() for item in (message["body"].get("items") or [])]

    def logs(self) -> str:
        return self.last_lines(SERVICES)


@contextmanager
def composed(
    engine: ContainerEngine,
    words: list[str],
    project: str,
    environment: Mapping[str, str],
    *,
    before: Callable[[Compose], None] | None = None,
    also: Sequence[Path] = (),
) -> Iterator[Compose]:
    """The whole flow, up; nothing of it left afterwards. ``before`` it starts; ``also``: further compose files."""
    compose = Compose(engine, words, project, environment, list(also))
    compose.run("down", "--volumes", "--timeout", "10")
    try:
        if before is not None:
            before(compose)
        compose.run("up", "--detach", "--no-build")
        compose.set_twin("sync", {"upstream": "detections"})  # every frame is looked at at the end of the flow
        yield compose
    finally:
        if os.environ.get("VIGIE_KEEP_CONTAINERS") != "1":
            compose.run("down", "--volumes", "--timeout", "10")
