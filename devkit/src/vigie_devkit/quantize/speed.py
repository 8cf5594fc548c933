"""How fast files are here: each in fresh child processes, one after the other, in rounds.

A busy moment hits all of them alike, and a process that has run one model does not decide how the next one fares. CPU
time is what a run costs; wall time is what a frame waits. Both are medians over all processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vigie.errors import QuantizationError

RUNS = 8
LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one run with ``threads``: processor time of all threads, and the clock's."""

    threads: int
    cpu_ms: float
    wall_ms: float


def time_files(
    files: Mapping[str, Path], *, threads: int, rounds: int, step: Callable[[], None], runs: int = RUNS
) -> dict[str, Timing]:
    """Median times by name.

    Raises: QuantizationError: a file does not run in a process of its own.
    """
    cpu: dict[str, list[float]] = {name: [] for name in files}
    wall: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, file in files.items():
            answer = _child(name, file, threads, runs)
            cpu[name].append(answer["cpu_ms"])
            wall[name].append(answer["wall_ms"])
            step()
    return {name: Timing(threads, statistics.median(cpu[name]), statistics.median(wall[name])) for name in files}


def _child(name: str, file: Path, threads: int, runs: int) -> dict[str, float]:
    command = [sys.executable, "-m", "vigie_devkit.quantize.speed_child", str(file), str(threads), str(runs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        answer: dict[str, float] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise QuantizationError(name, "does not run in a process of its own: it hangs or crashes") from error
    return answer
