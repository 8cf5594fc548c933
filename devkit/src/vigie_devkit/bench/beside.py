"""Vigie beside what a user would write in its place: one file as fast as it goes, four cameras on a full machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vigie.contracts.detections import DetectionsItem
from vigie_devkit.bench.report import Figure, quantiles
from vigie_devkit.bench.window import MeasuredWindow, delays_ms, inside, stage_figures, watch
from vigie_devkit.local.product import ProductError, up

PLAIN_BAR, POOLED_BAR = 1.4, 0.95
SHARE_BAR_PERCENT = 5.0
DELAY_BAR_MS = 100.0
# From the last measurement until what was chosen by it serves.
SETTLE_S = 4.0
MEASURED_WITHIN_S = 45.0
# With next to nothing else to do; beside a full machine inference waits for quiet moments, and may not end in minutes.
_KNOWN_WITHIN_S = 120.0
_QUIET_CAMERA = "synthetic://conveyor?seed=1&fps=1&size=320x240"
_LOOP_MARGIN_S = 60.0
# Less of a CPU for a loop that never waits: others have it, and later they may not.
_IDLE_CORES = 0.85
_USER_LOOP = Path(__file__).with_name("user_loop.py")


class Loop(NamedTuple):
    """One run of the user's loop."""

    fps: float
    cpu_ms: float

    @property
    def cores(self) -> float:
        """CPUs that it got: a loop that never waits gets all that it asks for, unless others take them."""
        return self.fps * self.cpu_ms / 1e3


def user_loops(video: Path, model: Path, seconds: float) -> dict[str, Loop]:
    """The alternatives, one after the other: nothing else of ours runs meanwhile."""
    cores = len(os.sched_getaffinity(0))
    kinds = {"plain loop, 1 thread": (1, 0), "plain loop, default threads": (0, 0), "pooled loop": (1, cores)}
    return {name: _run(video, model, seconds, *kind) for name, kind in kinds.items()}


def _run(video: Path, model: Path, seconds: float, threads: int, workers: int) -> Loop:
    command = [sys.executable, str(_USER_LOOP), str(video), str(model), f"{seconds:g}", str(threads), str(workers)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _LOOP_MARGIN_S, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ProductError(f"the plain loop did not run: {error}\n{_text(error.stderr)}") from error
    return Loop(**json.loads(done.stdout))


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def know_runtimes(home: Path, launcher: Sequence[str], model: Path) -> None:
    """Let inference measure its candidates for ``model`` beside a camera that hardly costs anything.

    What it chooses by them is what a box serves with for all but its first minutes.
    """
    with up(home, launcher, _QUIET_CAMERA, "--model", str(model), "--pace", "realtime") as product:
        product.wait_for_flow()
        product.wait_until_measured(_KNOWN_WITHIN_S)
        product.stop()


def beside(
    home: Path, launcher: Sequence[str], *, video: Path, model: Path, loop_model: Path, seconds: float, cameras: int
) -> list[Figure]:
    """The loops, then Vigie: one file at ``--pace max`` (``cameras`` 1), or cameras at the pace of the file."""
    case = "max-1" if cameras == 1 else f"full-{cameras}"
    know_runtimes(home, launcher, model)
    loops = user_loops(video, loop_model, seconds / 2)
    pace = "max" if cameras == 1 else "realtime"
    arguments = [str(video)] * cameras + ["--model", str(model), "--pace", pace, "--loop"]
    with up(home, launcher, *arguments) as product:
        product.wait_for_flow(cameras)
        measured = product.wait_until_measured(MEASURED_WITHIN_S)
        time.sleep(SETTLE_S)
        window = watch(product, seconds)
        product.stop()
        items = inside(product.items(), window)
    known = Figure(case=case, name="runtimes measured before", value=100 * measured, unit="%")
    return [*figures(case, loops, window, items), known]


def figures(case: str, loops: dict[str, Loop], window: MeasuredWindow, items: Sequence[DetectionsItem]) -> list[Figure]:
    """Ours, theirs, and ours over theirs."""
    ours = window.fps
    plain, pooled = loops["plain loop, default threads"].fps, loops["pooled loop"].fps
    frames = max(1, window.committed)
    whole_ms = sum(used.total_s for name, used in window.used.items() if name != "up") / frames * 1e3
    reasons = ", ".join(f"{reason} {count}" for reason, count in window.dropped.items()) or "none"
    note = f"dropped of {window.captured}: {reasons}"
    got = loops["plain loop, 1 thread"].cores
    busy = got < _IDLE_CORES
    warned = f"not a comparison: the machine was busy, a loop of one thread got {got:.2f} of a CPU" if busy else ""
    floors = (None, None) if busy else (PLAIN_BAR, POOLED_BAR)
    found = [
        *(
            Figure(case=case, name=name, value=loop.fps, unit="/s", note=f"{loop.cpu_ms:.1f} ms of CPU per frame")
            for name, loop in loops.items()
        ),
        Figure(case=case, name="Vigie", value=ours, unit="/s", note=f"{whole_ms:.1f} ms of CPU per frame; {note}"),
        Figure(case=case, name="over the plain loop", value=ours / plain, unit="x", floor=floors[0], note=warned),
        Figure(case=case, name="over the pooled loop", value=ours / pooled, unit="x", floor=floors[1], note=warned),
    ]
    shares = Counter(item.camera for item in items)
    if len(shares) > 1:
        fair = shares.total() / len(shares)
        uneven = max(abs(count - fair) for count in shares.values()) / fair * 100
        each = ", ".join(f"{camera} {count / window.seconds:.1f}" for camera, count in sorted(shares.items()))
        found.append(
            Figure(
                case=case, name="furthest from a fair share", value=uneven, unit="%", bar=SHARE_BAR_PERCENT, note=each
            )
        )
        found += quantiles(case, "capture to sync", delays_ms(items), (None, DELAY_BAR_MS))
    shares_ms = ", ".join(f"{name} {ms:.2f}" for name, ms in window.overhead_ms().items())
    found += stage_figures(case, items)
    beside_ms = sum(window.overhead_ms().values())
    name = "CPU per frame beside source and model"
    return [*found, Figure(case=case, name=name, value=beside_ms, unit="ms", note=shares_ms)]
