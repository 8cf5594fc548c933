"""Logs of the containers that `docker compose` started from this checkout, by the engine's own command line."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_ANSWER_WITHIN_S = 20.0


@dataclass(frozen=True)
class Container:
    """``service``: its name in compose.yaml; ``identifier``: the engine's."""

    service: str
    identifier: str


def engine_program() -> str:
    return os.environ.get("VIGIE_ENGINE", "docker")


def compose_containers(folder: Path) -> list[Container]:
    """Containers of compose projects whose folder is ``folder``, stopped ones too; empty where no engine answers.

    Both generations of compose put the project's folder and the service on each container as labels. A project that
    COMPOSE_PROJECT_NAME names, as compose itself reads it, is shown whatever its folder.
    """
    project = os.environ.get("COMPOSE_PROJECT_NAME")
    here = f"label=com.docker.compose.{f'project={project}' if project else f'project.working_dir={folder}'}"
    shown = '{{.ID}} {{.Label "com.docker.compose.service"}}'
    try:
        asked = subprocess.run(
            [engine_program(), "ps", "--all", "--no-trunc", "--filter", here, "--format", shown],
            capture_output=True, text=True, timeout=_ANSWER_WITHIN_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    words = [line.split() for line in asked.stdout.splitlines()] if asked.returncode == 0 else []
    return sorted((Container(word[1], word[0]) for word in words if len(word) == 2), key=lambda one: one.service)


def last_lines(container: Container, count: int) -> list[str]:
    """The last ``count`` lines of it."""
    asked = subprocess.run(
        [engine_program(), "logs", "--tail", str(count), container.identifier],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    return asked.stdout.splitlines()


def new_lines(containers: list[Container]) -> Iterator[str]:
    """Lines as they come, until every container has stopped."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read(process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            lines.put(line.rstrip("\n"))
        lines.put(None)

    with ExitStack() as following:
        for container in containers:
            process = following.enter_context(
                subprocess.Popen(
                    [engine_program(), "logs", "--follow", "--tail", "0", container.identifier],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                )
            )  # fmt: skip
            following.callback(process.terminate)
            threading.Thread(target=read, args=(process,), name=f"local.logs.{container.service}", daemon=True).start()
        open_ones = len(containers)
        while open_ones:
            line = lines.get()
            if line is None:
                open_ones -= 1
            else:
                yield line
