"""Runs the product as a person does: `vigie up` and its other commands as processes, in a home of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.busy import slowdown
from vigie.errors import VigieError
from vigie_edgehub.errors import UpstreamUnreadableError
from vigie_edgehub.service.client import ServiceClient
from vigie_edgehub.upstream import UpstreamReader, record_file

VIGIE = [sys.executable, "-m", "vigie_devkit"]


def _with_boxes(args: tuple[str, ...]) -> tuple[str, ...]:
    """Most tests look at every frame at the end of the flow: the boxes go upstream unless a test asks otherwise."""
    return args if "--upstream" in args else (*args, "--upstream", "detections")


@dataclass
class Finished:
    """A command that ended. ``summary`` is its one JSON object, when it was asked for one."""

    code: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.stdout.strip().splitlines()
        assert len(lines) == 1, f"stdout holds more than one object:\n{self.stdout[:2000]}"
        loaded: dict[str, Any] = json.loads(lines[0])
        return loaded


@dataclass
class Home:
    """A state folder of its own, so that runs of other tests are not disturbed."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "VIGIE_HOME": str(self.path), "NO_COLOR": "1"}

    def run(self, *args: str, timeout_s: float = 120, **extra_environment: str) -> Finished:
        done = subprocess.run(
            [*VIGIE, *args],
            env={**self.environment, **extra_environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def up(self, *args: str, timeout_s: float = 150, **extra_environment: str) -> Finished:
        return self.run("up", *_with_boxes(args), "--json", timeout_s=timeout_s, **extra_environment)

    def upstream(self) -> list[dict[str, Any]]:
        """All messages that arrived at $upstream, oldest first, as `upstream export` gives them."""
        done = self.run("upstream", "export")
        assert done.code == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def items(self) -> list[dict[str, Any]]:
        """All items of all upstream messages, in order of arrival."""
        return [item for message in self.upstream() for item in message["body"]["items"]]

    @contextmanager
    def running(self, *args: str, **extra_environment: str) -> Iterator[Running]:
        """`vigie up` in the background; ended by SIGTERM, and by force if that does not help."""
        log = self.path.with_name(f"{self.path.name}.up.log")
        if "--viewer" not in args:
            args = (*args, "--no-viewer")  # what these runs are about is the flow; the page has its own test
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*VIGIE, "up", *_with_boxes(args)],
                env={**self.environment, **extra_environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Running(self, process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)


@dataclass
class Running:
    """An `up` that is under way."""

    home: Home
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def folder(self) -> Path:
        return self.home.path / "runs" / "local"

    def hub(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "hub" / "hub.json").read_text(encoding="utf-8"))
        return loaded

    def module_pid(self, module: str) -> int:
        endpoint = json.loads((self.folder / "modules" / module / "http.json").read_text(encoding="utf-8"))
        return int(endpoint["pid"])

    def metrics(self, module: str) -> dict[str, float]:
        """What ``/metrics`` of ``module`` says, by sample with its labels."""
        endpoint = json.loads((self.folder / "modules" / module / "http.json").read_text(encoding="utf-8"))
        with urllib.request.urlopen(f"http://{endpoint['host']}:{endpoint['port']}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    # What tests ask over and over while they wait, they ask in their own process: a command each time, with its
    # imports, would cost more than the run that it looks at.

    def upstream_count(self) -> int:
        with self._record() as record:
            return record.last_sequence() if record else 0

    def last_item(self) -> dict[str, Any] | None:
        with self._record() as record:
            newest = list(record.read(after=record.last_sequence() - 1)) if record else []
        return json.loads(bytes(newest[-1].body))["items"][-1] if newest else None

    @contextmanager
    def _record(self) -> Iterator[UpstreamReader | None]:
        """None while nothing has arrived yet."""
        try:
            reader = UpstreamReader(record_file(self.folder / "hub"))
        except UpstreamUnreadableError:
            yield None
            return
        with reader:
            yield reader

    def reported(self, module: str) -> dict[str, Any]:
        """The reported properties of ``module``; {} while the hub does not answer."""
        try:
            twin = ServiceClient.open(self.folder / "hub").twin(module)
        except VigieError:
            return {}
        return dict(twin["properties"]["reported"])

    def ask(self, module: str, method: str) -> dict[str, Any]:
        """What ``module`` answers; {} while it does not, or refuses."""
        try:
            answer = ServiceClient.open(self.folder / "hub").invoke_method(module, method)
        except VigieError:
            return {}
        return dict(json.loads(bytes(answer.payload))) if answer.status == 200 else {}

    def inferred_traces(self) -> list[str]:
        """Of every frame that inference answered, oldest first; needs ``VIGIE_LOG_LEVEL=debug``."""
        logs = [
            path.read_text(encoding="utf-8", errors="replace")
            for path in sorted((self.folder / "logs").glob("inference*"))
        ]
        lines = [line for log in logs for line in log.splitlines() if "frame_inferred" in line]
        return [str(json.loads(line[line.index("{") :])["trace"]) for line in lines]

    def wait_until(self, condition: Callable[[], object], *, timeout_s: float, what: str) -> float:
        """Seconds until ``condition`` holds; fails with the end of the run's log.

        ``timeout_s`` is patience on an idle machine: once it is over, it lasts as much longer as others slow work down.
        """
        begun, patience_s = time.monotonic(), 0.0
        while True:
            assert self.process.poll() is None, f"up ended with {self.process.returncode}:\n{self.tail()}"
            if condition():
                return time.monotonic() - begun
            if time.monotonic() - begun >= max(timeout_s, patience_s):
                if patience_s:
                    raise AssertionError(f"not within {patience_s:.0f} s: {what}\n{self.tail()}")
                patience_s = timeout_s * slowdown()
            time.sleep(0.1)

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
