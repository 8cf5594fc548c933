"""A real container engine and the compose file on it, as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import EngineCommandError

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


def compose_programs(engine: ContainerEngine) -> dict[str, list[str]]:
    """Which compose there is: ``v2`` (`docker compose`) and ``v1`` (`docker-compose` 1.29)."""
    found = {}
    second = [os.environ["VIGIE_COMPOSE_V2"]] if "VIGIE_COMPOSE_V2" in os.environ else ["docker", "compose"]
    for name, words in (("v2", second), ("v1", ["docker-compose"])):
        try:
            asked = subprocess.run(
                [*words, "version", "--short"], capture_output=True, text=True, env=engine.environment, check=False
            )
        except OSError:
            continue
        is_first = asked.stdout.strip().lstrip("v").startswith("1.")
        if asked.returncode == 0 and is_first is (name == "v1"):
            found[name] = words
    return found


@dataclass
class Compose:
    """One project of compose.yaml. ``overrides``: further compose files."""

    engine: ContainerEngine
    words: list[str]
    project: str
    environment: Mapping[str, str]
    overrides: list[Path] = field(default_factory=list)

    def run(self, *words: str, within_s: float = 300) -> str:
        files = [word for file in (ROOT / "compose.yaml", *self.overrides) for word in ("-f", str(file))]
        ended = subprocess.run(
            [*self.words, "--project-name", self.project, *files, *words],
            cwd=ROOT, env={**self.engine.environment, **self.environment}, capture_output=True, text=True,
            timeout=within_s, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr[-3000:]}"
        return ended.stdout

    def container(self, service: str) -> str:
        """Id of the service's container."""
        return self.engine.ask(
            "ps", "--all", "--quiet", "--no-trunc",
            "--filter", f"label=com.docker.compose.project={self.project}",
            "--filter", f"label=com.docker.compose.service={service}",
        ).strip()  # fmt: skip

    def inspect(self, service: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.engine.ask("inspect", self.container(service)))
        return found[0]

    def execute(self, service: str, *words: str) -> str:
        """Raises: EngineCommandError: the command ended with another code than 0."""
        return self.engine.ask("exec", self.container(service), *words)

    def python(self, service: str, code: str) -> str:
        return self.execute(service, "python", "-I", "-B", "-c", code).strip()

    def set_twin(self, module: str, desired: dict[str, Any], within_s: float = 120) -> None:
        """As soon as the hub answers."""
        deadline = time.monotonic() + within_s
        words = ("python", "-I", "-B", "-m", "vigie_devkit", "twin", "set", module, json.dumps(desired))
        while True:
            try:
                self.execute("hub", *words)
            except EngineCommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def upstream(self) -> list[dict[str, Any]]:
        """Everything that reached the cloud side so far, oldest first."""
        said = self.execute("hub", "python", "-I", "-B", "-m", "vigie_devkit", "upstream", "export")
        return [json.loads(line) for line in said.splitlines()]

    def items_upstream(self) -> list[dict[str, Any]]:
        return [item for message in self.upstream() for item in (message["body"].get("items") or [])]

    def logs(self) -> str:
        return "".join(f"--- {service}\n{self._last_lines(service)}" for service in SERVICES)

    def _last_lines(self, service: str) -> str:
        """Modules log to stderr, which the engine gives back as stderr."""
        return subprocess.run(
            [self.engine.program, "logs", "--tail", "15", self.container(service)],
            env=self.engine.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        ).stdout  # fmt: skip


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
