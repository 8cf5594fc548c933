"""The container engine, by its command line: Docker, or what speaks like it; contexts and logins are the user's own."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from typing import IO, Any, TextIO

from vigie.terminal import columns_of, is_terminal
from vigie_devkit.images.errors import ContainerEngineError, EngineCommandError
from vigie_devkit.local.paths import CHECKOUT

START = "VIGIE_ENGINE_START"
_ANSWER_WITHIN_S = 20.0
_START_WITHIN_S = 590.0
_LINES_OF_A_FAILURE = 40
_STEP = re.compile(r"step (\d+)/(\d+) ?: (.*)", re.IGNORECASE)


class ContainerEngine:
    """Runs engine commands; ``environment`` holds what a start command printed (DOCKER_HOST)."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self.environment = dict(environment)

    def run(self, *words: str, stdin: IO[bytes] | None = None) -> None:
        """Run it for the user to watch. Raises: EngineCommandError."""
        ended = subprocess.run([self.program, *words], env=self.environment, stdin=stdin, check=False)
        if ended.returncode != 0:
            raise EngineCommandError([self.program, *words[:3]], f"exit code {ended.returncode}, see above")

    def build(self, *words: str, stdin: IO[bytes]) -> None:
        """Build; a terminal shows the step that runs. What the engine says is shown if it fails, and only then.

        Docker's client advises to unset DOCKER_BUILDKIT, which is ours and not the user's.
        Raises: EngineCommandError.
        """
        said: deque[str] = deque(maxlen=_LINES_OF_A_FAILURE)
        with subprocess.Popen(
            [self.program, *words],
            env=self.environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        ) as building:  # fmt: skip
            for line in building.stdout or ():
                said.append(line.rstrip("\n"))
                show_step(sys.stderr, line)
        clear_step(sys.stderr)
        if building.returncode != 0:
            sys.stderr.write("".join(f"  {line}\n" for line in said))
            raise EngineCommandError([self.program, *words[:3]], f"exit code {building.returncode}, see above")

    def ask(self, *words: str) -> str:
        """What it answers. Raises: EngineCommandError."""
        ended = subprocess.run(
            [self.program, *words], env=self.environment, capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise EngineCommandError([self.program, *words[:3]], last_line(ended.stderr))
        return ended.stdout

    def image(self, reference: str) -> dict[str, Any] | None:
        """What the engine knows of an image, None if it has none of that name."""
        try:
            found: list[dict[str, Any]] = json.loads(self.ask("image", "inspect", reference))
        except EngineCommandError:
            return None
        return found[0]


def show_step(stream: TextIO, line: str) -> None:
    """On a terminal, in place: "Step 7/25 : RUN ..." of a build as one line of its width."""
    if (step := _STEP.match(line)) and is_terminal(stream):
        text = f"  step {step[1]} of {step[2]}  {step[3].strip()}"
        stream.write(f"\r\033[K{text[: columns_of(stream) - 1]}")
        stream.flush()


def clear_step(stream: TextIO) -> None:
    if is_terminal(stream):
        stream.write("\r\033[K")
        stream.flush()


def open_engine(program: str, environ: Mapping[str, str], *, start: bool = True) -> ContainerEngine:
    """An engine that answers; where none does, ``VIGIE_ENGINE_START`` is run, whose ``NAME=value`` lines are kept.

    Raises: ContainerEngineError.
    """
    engine = ContainerEngine(program, environ)
    reason = silence(engine)
    command = environ.get(START)
    if reason and start and command:
        engine.environment |= started(command)
        reason = silence(engine)
    if reason:
        raise ContainerEngineError(program, reason)
    return engine


def silence(engine: ContainerEngine) -> str:
    """Why the engine does not answer; empty if it does."""
    try:
        asked = subprocess.run(
            [engine.program, "info", "--format", "{{json .}}"],
            env=engine.environment, capture_output=True, text=True, timeout=_ANSWER_WITHIN_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "not installed"
    except subprocess.TimeoutExpired:
        return f"no answer in {_ANSWER_WITHIN_S:.0f} s"
    if asked.returncode == 0:
        # The Docker client exits with 0 and an error list where only the client is there.
        try:
            errors = json.loads(asked.stdout).get("ServerErrors") or []
        except ValueError:
            errors = []
        return str(errors[0]) if errors else ""
    return last_line(asked.stderr)


def started(command: str) -> dict[str, str]:
    """Run the start command in the checkout. Returns: the variables that it printed. Raises: ContainerEngineError."""
    try:
        ended = subprocess.run(
            shlex.split(command), cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True, timeout=_START_WITHIN_S, check=False,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ContainerEngineError(START, str(error)) from error
    if ended.returncode != 0:
        raise ContainerEngineError(START, f"'{command}' ended with {ended.returncode}")
    pairs = (line.removeprefix("export ").partition("=") for line in ended.stdout.splitlines())
    return {name: value.strip() for name, separator, value in pairs if separator and name.isidentifier()}


def default_program() -> str:
    return os.environ.get("VIGIE_ENGINE", "docker")


def last_line(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "no reason given"
