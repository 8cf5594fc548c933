"""What `./vigie` answers before anything is installed: help, the version, a wrong command line, and stopping.

Standard library and this checkout only.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import tomllib
from collections.abc import Sequence

from vigie_devkit.cli import parser_for, wrong_words
from vigie_devkit.local.errors import Exit
from vigie_devkit.local.paths import CHECKOUT, RunPaths, is_running, known_runs
from vigie_devkit.local.processes import start_ticks

# `up` itself takes at most 8 s.
UP_ENDS_WITHIN_S = 10.0


def answer(arguments: Sequence[str]) -> int | None:
    """The exit code, None if the command needs the environment. Raises: ImportError: so does its parser."""
    words = list(arguments)
    if words[:1] == ["test"]:
        return None  # its words are pytest's
    try:
        args, rest = parser_for(words).parse_known_args(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.USAGE
    if args.version or (args.command == "version" and not args.all):
        metadata = tomllib.loads((CHECKOUT / "devkit/pyproject.toml").read_text(encoding="utf-8"))
        print(f"vigie {metadata['project']['version']}")
        return Exit.OK
    if args.command is None:
        parser_for([]).print_help(sys.stderr)
        return Exit.USAGE
    if (complaint := wrong_words(args, rest)) is not None:
        sys.stderr.write(f"vigie: {complaint}\n")
        return Exit.USAGE
    return _down(args.run, every=args.all) if args.command == "down" else None


def _down(name: str | None, *, every: bool) -> int | None:
    """Ask the `up` of each run that is meant to end. What a killed run left behind is cleaned up by the next `up`."""
    runs = [run for run in known_runs() if is_running(run) and name in (None, run.name)]
    if not runs:
        print("vigie: nothing is up")
        return Exit.OK
    if len(runs) > 1 and not every:
        print(f"vigie: several runs are up ({', '.join(run.name for run in runs)}); say which: --run NAME, or --all")
        return Exit.ENVIRONMENT
    ended = [_ended(run) for run in runs]
    return Exit.OK if all(ended) else Exit.NO_FLOW


def _ended(run: RunPaths) -> bool:
    try:
        up = json.loads(run.record.read_text(encoding="utf-8"))["up"]
        if start_ticks(up["pid"]) == up["start_ticks"]:
            os.kill(up["pid"], signal.SIGTERM)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # it has only just begun, or it has just ended: whether it holds its lock decides
    deadline = time.monotonic() + UP_ENDS_WITHIN_S
    while is_running(run) and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = not is_running(run)
    print(f"vigie: run '{run.name}' {'stopped' if ended else 'is still up'}")
    return ended
