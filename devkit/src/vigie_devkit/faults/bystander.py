"""A container beside the composed ones, untouched by every fault: it sees their processes, volumes and record.

What it does there is `bystander_acts`, run from source: the image may be older than this checkout.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from vigie_devkit.faults import bystander_acts
from vigie_devkit.images.engine import ContainerEngine

HUB_VOLUME = "hub"
_PYTHON = ("python", "-I", "-B", "-c")


class Bystander:
    """Runs from creation to ``close``; ends by itself when this process is gone."""

    def __init__(self, engine: ContainerEngine, project: str, image: str, volumes: Sequence[str]) -> None:
        """``volumes`` of the project by their names in compose.yaml; the hub's is one of them. Raises: OSError."""
        self._engine, self.name = engine, f"{project}-bystander"
        mounts = [word for one in volumes for word in ("--volume", f"{project}_{one}:/{one}:nocopy")]
        self._arrived: list[tuple[int, str, bytes]] = []
        # The user is the hub's, so that the record's files stay its own; root and its two capabilities are for `act`.
        self._process = subprocess.Popen(
            [engine.program, "run", "--rm", "--interactive", "--name", self.name, "--label", f"vigie.faults={project}",
             "--pid", "host", "--network", "none", "--read-only", "--tmpfs", "/tmp",  # noqa: S108 - the container's
             "--cap-drop", "ALL", "--cap-add", "KILL", "--cap-add", "DAC_OVERRIDE", "--user", "1250:1250", *mounts,
             "--entrypoint", _PYTHON[0], image, *_PYTHON[1:], _source(), "follow", f"/{HUB_VOLUME}/hub"],
            env=engine.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for this program
        )  # fmt: skip
        if self._process.stdout is None:  # never: it is a pipe
            raise OSError("no pipe")
        threading.Thread(target=self._take, args=(self._process.stdout,), name="bystander", daemon=True).start()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def arrived(self, after: int) -> Iterator[tuple[int, str, bytes]]:
        """Messages upstream above sequence number ``after``: number, module, body."""
        return iter([one for one in self._arrived if one[0] > after])

    def signal(self, pid: int, number: signal.Signals) -> None:
        """To a process of the engine's machine: what the kernel or a hang would do. Raises: EngineCommandError."""
        self._act("signal", str(pid), str(int(number)))

    def fill(self, volume: str, leave: int = 0) -> None:
        """Take every byte of the volume but ``leave``, as others do."""
        self._act("fill", f"/{volume}", str(leave))

    def free(self, volume: str) -> None:
        self._act("free", f"/{volume}")

    def recorded(self, volume: str) -> set[str]:
        """Traces of what the ledger in a state volume holds, unsent; its module must be away."""
        return set(json.loads(self._act("ledger", f"/{volume}")))

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _act(self, *words: str) -> str:
        return self._engine.ask("exec", "--user", "0", self.name, *_PYTHON, _source(), *words).strip()

    def _take(self, stream: IO[bytes]) -> None:
        for line in stream:
            number, module, body = json.loads(line)
            self._arrived.append((int(number), str(module), base64.b64decode(body)))


def _source() -> str:
    return Path(os.fspath(bystander_acts.__file__)).read_text(encoding="utf-8")
