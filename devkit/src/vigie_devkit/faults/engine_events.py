"""What the container engine reports of a project while it runs: who died with which code, ran out of memory, ..."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import IO, Any

from vigie_devkit.images.compose import PROJECT_LABEL, SERVICE_LABEL
from vigie_devkit.images.engine import ContainerEngine

# The rest is the engine's own housekeeping, and each look of ours (exec_*).
_SHOWN = ("create", "start", "die", "kill", "oom", "pause", "unpause", "restart", "destroy", "health_status")


class EngineEvents:
    """``text`` grows by a line per event, ``inference die exitCode=137``; from creation to ``close``."""

    def __init__(self, engine: ContainerEngine, project: str) -> None:
        self._lines: list[str] = []
        self._process = subprocess.Popen(
            [engine.program, "events", "--filter", "type=container", "--filter", f"label={PROJECT_LABEL}={project}",
             "--format", "{{json .}}"],
            env=engine.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            process_group=0,
        )  # fmt: skip
        if self._process.stdout is None:  # never: it is a pipe
            raise OSError("no pipe")
        threading.Thread(target=self._take, args=(self._process.stdout,), name="engine-events", daemon=True).start()

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _take(self, stream: IO[bytes]) -> None:
        for line in stream:
            if shown := in_words(json.loads(line)):
                self._lines.append(shown)


def in_words(event: dict[str, Any]) -> str:
    """``SERVICE ACTION [exitCode=N]``; empty for what is not shown."""
    action = str(event.get("Action", ""))
    if not action.startswith(_SHOWN):
        return ""
    told = event.get("Actor", {}).get("Attributes", {})
    code = f" exitCode={told['exitCode']}" if "exitCode" in told else ""
    return f"{told.get(SERVICE_LABEL, '')} {action}{code}"
