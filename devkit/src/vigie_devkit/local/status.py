"""The live status of a run: a block in place on a terminal, a line every few seconds elsewhere; always on stderr."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from vigie_devkit.local import summary
from vigie_devkit.local.metrics import Tally

RATE_OVER_S = 5.0
LINE_EVERY_S = 5.0
_DIM, _BOLD, _WARN, _PLAIN = "\033[2m", "\033[1m", "\033[33m", "\033[0m"


@dataclass
class Rates:
    """Frames per second per camera, over the last seconds."""

    looks: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def add(self, now: float, counts: dict[str, int]) -> None:
        self.looks.append((now, counts))
        while self.looks[-1][0] - self.looks[0][0] > RATE_OVER_S:
            self.looks.popleft()

    def per_second(self, key: str) -> float:
        """0.0 before there are two looks."""
        (begun, first), (ended, last) = self.looks[0], self.looks[-1]
        return (last.get(key, 0) - first.get(key, 0)) / (ended - begun) if ended > begun else 0.0


class Status:
    """Shows a run. ``note`` interrupts with a sentence of its own, which stays on the screen."""

    def __init__(self, stream: TextIO, cameras: Sequence[str]) -> None:
        self._stream = stream
        self._cameras = cameras
        self._column = max(24, *(len(name) for name in cameras)) if cameras else 24
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._live and "NO_COLOR" not in os.environ
        self._shown = 0
        self._printed_at = -LINE_EVERY_S
        self._captured, self._inferred = Rates(), Rates()

    def note(self, sentence: str) -> None:
        """A line that stays, above the live block."""
        self._erase()
        self._write(f"{sentence}\n")

    def show(self, tally: Tally, *, phase: str, seconds: float, troubles: Sequence[str]) -> None:
        """Show what ``tally`` holds now. Args: phase: one word; seconds: since start; troubles: what is not well."""
        now = time.monotonic()
        self._captured.add(now, tally.by("vigie_frames_captured_total", "camera", "camera"))
        self._inferred.add(now, tally.by("vigie_frames_inferred_total", "camera", "inference"))
        if self._live:
            lines = self.block(tally, phase, seconds, troubles)
            width = shutil.get_terminal_size().columns
            self._erase()
            self._write("".join(f"{line if visible(line) <= width else cut(line, width)}\n" for line in lines))
            self._shown = len(lines)
        elif now - self._printed_at >= LINE_EVERY_S:
            self._printed_at = now
            self._write(f"{self.line(tally, phase, seconds, troubles)}\n")

    def close(self) -> None:
        """Leave the last block standing."""
        self._shown = 0

    def block(self, tally: Tally, phase: str, seconds: float, troubles: Sequence[str]) -> list[str]:
        """The lines of the block."""
        states = camera_states(tally)
        rows = [self._paint(_BOLD, f"{phase}  {clock(seconds)}")]
        for name in self._cameras:
            state = states.get(name, "starting")
            painted = state if state in {"streaming", "finished"} else self._paint(_WARN, state)
            rows.append(
                f"  {name:<24} {self._captured.per_second(name):6.1f} captured/s "
                f"{self._inferred.per_second(name):6.1f} inferred/s  {painted}"
            )
        times, engine = summary.latency_ms(tally), summary.runtime(tally)
        rows.append(self._row("latency", f"p50 {number(times['p50'])} ms   p95 {number(times['p95'])} ms"))
        if engine["provider"]:
            rows.append(self._row("model", f"{engine['provider']}, {engine['variant']}"))
        found = tally.by("vigie_detections_committed_total", "label", "sync")
        rows.append(self._row("detections", named(found, 6) or "none yet"))
        rows.append(self._row("dropped", named(summary.dropped(tally), 4) or "none"))
        sent, waiting = summary.upstream(tally), summary.backlog(tally)
        rows.append(self._row("upstream", f"{sent} messages   backlog {waiting}"))
        rows += [self._paint(_WARN, f"  ! {trouble}") for trouble in troubles]
        return rows

    def line(self, tally: Tally, phase: str, seconds: float, troubles: Sequence[str]) -> str:
        """The same in one line."""
        rates = " ".join(f"{name} {self._inferred.per_second(name):.1f}/s" for name in self._cameras)
        times, engine = summary.latency_ms(tally), summary.runtime(tally)
        parts = [
            f"vigie: {phase} {clock(seconds)}",
            rates,
            f"p50 {number(times['p50'])} p95 {number(times['p95'])} ms",
            f"detections {named(tally.by('vigie_detections_committed_total', 'label', 'sync'), 4) or 0}",
            f"dropped {named(summary.dropped(tally), 3) or 0}",
            f"upstream {summary.upstream(tally)} backlog {summary.backlog(tally)}",
            *([f"{engine['provider']} {engine['variant']}"] if engine["provider"] else []),
            *(f"! {trouble}" for trouble in troubles),
        ]
        return " | ".join(parts)

    def _row(self, name: str, text: str) -> str:
        return f"  {self._paint(_DIM, f'{name:<{self._column}}')} {text}"

    def _paint(self, code: str, text: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._colour else text

    def _erase(self) -> None:
        if self._shown:
            # To the first column: the terminal echoes Ctrl-C as ^C and leaves the cursor behind it.
            self._write(f"\r\033[{self._shown}A\033[J")
            self._shown = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._live = False  # the terminal has gone; the run goes on


def camera_states(tally: Tally) -> dict[str, str]:
    """The present state of each camera that has one: connecting, streaming, failed or finished."""
    samples = tally.values("vigie_camera_state", "camera")
    return {sample.label("camera"): sample.label("state") for sample in samples if sample.value}


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def named(counts: dict[str, int], most: int) -> str:
    """``bottle 107, person 2`` and how many more kinds there are."""
    shown = [f"{name} {count}" for name, count in list(counts.items())[:most]]
    return ", ".join(shown) + (f" and {len(counts) - most} more" if len(counts) > most else "")


def visible(line: str) -> int:
    return len(line) - sum(line.count(code) * len(code) for code in (_DIM, _BOLD, _WARN, _PLAIN))


def cut(line: str, width: int) -> str:
    """Shorten a painted line; a wrapped line would break the count of lines to erase."""
    plain = line
    for code in (_DIM, _BOLD, _WARN, _PLAIN):
        plain = plain.replace(code, "")
    return plain[: max(1, width - 1)] + "…"
