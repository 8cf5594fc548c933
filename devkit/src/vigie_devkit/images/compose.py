"""One project of compose.yaml on a container engine: brought up, looked at, taken down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import ComposeError
from vigie_devkit.local.paths import CHECKOUT

COMPOSE_FILE = CHECKOUT / "compose.yaml"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
# A program of its own in place of Docker's plug-in.
SECOND_GENERATION = "VIGIE_COMPOSE_V2"


def compose_programs(engine: ContainerEngine) -> dict[str, list[str]]:
    """Which compose there is: ``v2`` (`docker compose`) and ``v1`` (`docker-compose` 1.29)."""
    found = {}
    given = engine.environment.get(SECOND_GENERATION)
    second = [given] if given else [engine.program, "compose"]
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


def newest_compose(engine: ContainerEngine) -> list[str]:
    """The words that begin its command line. Raises: ComposeError: neither generation is installed."""
    programs = compose_programs(engine)
    if not programs:
        raise ComposeError("compose", f"neither '{engine.program} compose' nor 'docker-compose' is installed")
    return programs.get("v2") or programs["v1"]


@dataclass
class Compose:
    """``words``: how compose is called. ``environment``: the file's variables. ``overrides``: further files."""

    engine: ContainerEngine
    words: list[str]
    project: str
    environment: Mapping[str, str]
    overrides: list[Path] = field(default_factory=list)

    def run(self, *words: str, within_s: float = 300) -> str:
        """Raises: ComposeError: it failed, or took longer."""
        files = [word for file in (COMPOSE_FILE, *self.overrides) for word in ("-f", str(file))]
        try:
            ended = subprocess.run(
                [*self.words, "--project-name", self.project, *files, *words],
                cwd=CHECKOUT, env={**self.engine.environment, **self.environment}, capture_output=True, text=True,
                timeout=within_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ComposeError(" ".join(words[:2]), f"not done within {within_s:.0f} s") from None
        if ended.returncode != 0:
            raise ComposeError(" ".join(words[:2]), ended.stderr[-3000:].strip() or "no reason given")
        return ended.stdout

    def container(self, service: str) -> str:
        """Id of the service's container; empty: it has none."""
        return self.engine.ask(
            "ps", "--all", "--quiet", "--no-trunc",
            "--filter", f"label={PROJECT_LABEL}={self.project}", "--filter", f"label={SERVICE_LABEL}={service}",
        ).strip()  # fmt: skip

    def inspect(self, service: str) -> dict[str, Any]:
        """Raises: EngineCommandError: the service has no container."""
        found: list[dict[str, Any]] = json.loads(self.engine.ask("inspect", self.container(service)))
        return found[0]

    def execute(self, service: str, *words: str) -> str:
        """Raises: EngineCommandError: the command ended with another code than 0."""
        return self.engine.ask("exec", self.container(service), *words)

    def python(self, service: str, code: str) -> str:
        return self.execute(service, "python", "-I", "-B", "-c", code).strip()

    def vigie(self, *words: str) -> str:
        """The dev kit inside the hub's container, as an operator types it. Raises: EngineCommandError."""
        return self.execute("hub", "python", "-I", "-B", "-m", "vigie_devkit", *words)

    def log_text(self, service: str, *options: str) -> str:
        """Stdout and stderr of its container, through all starts of it."""
        return subprocess.run(
            [self.engine.program, "logs", *options, self.container(service)],
            env=self.engine.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            errors="replace",
        ).stdout  # fmt: skip

    def last_lines(self, services: Sequence[str], count: int = 15) -> str:
        """Of each service's log, for the sentence of a failure."""
        return "".join(f"--- {one}\n{self.log_text(one, '--tail', str(count))}" for one in services)
