"""The live status of a run: a block in place on a terminal, a line every few seconds elsewhere; always on stderr.

Why this and not a library: docs/decisions/0061.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from vigie.contracts import names
from vigie.plurals import counted
from vigie.terminal import columns_of, is_terminal
from vigie_devkit.local import summary
from vigie_devkit.local.camera_cells import CameraCells
from vigie_devkit.local.colours import BOLD, DIM, YELLOW, painted, takes_more, wants_colour
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.rates import Rates
from vigie_devkit.local.reasons import left_out

LINE_EVERY_S = 5.0
MIN_WIDTH = 40
LABEL_WIDTH = 8
SEEN_MAX = 8


class Status:
    """Shows a run. ``note`` interrupts with a sentence of its own, which stays on the screen."""

    def __init__(self, stream: TextIO, cameras: Sequence[str], model: str = "") -> None:
        """``model``: name of the bundle that the run was started with."""
        self._stream = stream
        self._cameras = cameras
        self._model = model
        self._live = is_terminal(stream)
        self._colour = wants_colour(stream)
        self._shown = 0
        self._printed_at = -LINE_EVERY_S
        self._camera = CameraCells(cameras)
        self._preprocessed, self._inferred, self._by_model = Rates(), Rates(), Rates()
        self._recorded, self._seen = Rates(), Rates()

    def note(self, sentence: str) -> None:
        """A line that stays, above the live block."""
        self._erase()
        self._write(f"{sentence}\n")

    def show(self, tally: MetricTotals, *, phase: str, seconds: float, troubles: Sequence[str]) -> None:
        """Show what ``tally`` holds now. Args: phase: one word; seconds: since start; troubles: what is not well."""
        self.take(tally, time.monotonic())
        if self._live:
            if not takes_more(self._stream):
                return  # a terminal that is held must not hold up the run
            width = max(MIN_WIDTH, columns_of(self._stream))
            lines = self.block(tally, phase, seconds, troubles, width)
            self._erase()
            self._write("".join(f"{line}\n" for line in lines))
            self._shown = len(lines)
        elif time.monotonic() - self._printed_at >= LINE_EVERY_S:
            self._printed_at = time.monotonic()
            self._write(f"{self.line(tally, phase, seconds, troubles)}\n")

    def take(self, tally: MetricTotals, now: float) -> None:
        """Count ``tally`` for the rates. ``now``: seconds of a monotonic clock."""
        self._camera.take(tally, now)
        self._preprocessed.add(now, {"": tally.total("vigie_frames_preprocessed_total", names.PREPROCESS)})
        self._inferred.add(now, tally.by("vigie_frames_inferred_total", "camera", "inference"))
        self._by_model.add(now, summary.by_model(tally))
        self._recorded.add(now, {"": summary.committed(tally)})
        self._seen.add(now, tally.by("vigie_detections_committed_total", "label", "sync"))

    def close(self) -> None:
        """Leave the last block standing."""
        self._shown = 0

    def block(self, tally: MetricTotals, phase: str, seconds: float, troubles: Sequence[str], width: int) -> list[str]:
        """The lines of the block, none wider than ``width``."""
        lines = [self._paint(BOLD, f"{phase}  {clock(seconds)}")]
        lines += self._row("cameras", self._camera.cells(tally), width, apart="   ")
        lines += self._row("stages", self._stage_cells(tally), width, apart=" > ")
        delay = summary.latency_ms(tally)
        lines += self._row("delay", delay_cells(delay), width)
        lines += self._row("model", self._model_cells(tally), width)
        for cells in self._further_cells(tally):
            lines += self._row("model", cells, width)
        lines += self._row("seen now", self._seen_cells(), width)
        lines += self._row("left out", left_out(summary.dropped(tally)) or ["no frame"], width)
        sent, waiting = summary.upstream(tally), summary.backlog(tally)
        lines += self._row(
            "upstream", [f"{counted(sent, 'message')} sent", f"{counted(waiting, 'result')} waiting to be sent"], width
        )
        lines += self._row("hub", hub_cells(tally), width)
        if told := tally.by("vigie_events_total", "type", "sync"):
            lines += self._row("events", [f"{count} of {kind}" for kind, count in told.items()], width)
        for trouble in troubles:
            lines += [self._paint(YELLOW, line) for line in wrapped(f"  ! {trouble}", "    ", width)]
        return lines

    def line(self, tally: MetricTotals, phase: str, seconds: float, troubles: Sequence[str]) -> str:
        """The same in one line."""
        times = summary.latency_ms(tally)
        parts = [
            f"vigie: {phase} {clock(seconds)}",
            " ".join(f"{name} {self._inferred.per_second(name):.1f}/s" for name in self._cameras),
            f"p50 {number(times['p50'])} p95 {number(times['p95'])} ms",
            f"seen now: {', '.join(self._seen_cells())}",
            f"left out: {', '.join(left_out(summary.dropped(tally))) or 'no frame'}",
            f"upstream {summary.upstream(tally)} sent, {summary.backlog(tally)} waiting",
            *(", ".join(cells) for cells in (self._model_cells(tally), *self._further_cells(tally))),
            *self._camera.brief(tally),
            *([f"hub: {', '.join(hub_cells(tally))}"] if summary.hub_links(tally)[1] else []),
            *(f"! {trouble}" for trouble in troubles),
        ]
        return " | ".join(parts)

    def _stage_cells(self, tally: MetricTotals) -> list[str]:
        """Frames per second of each stage, and when its half of the frames is done, counted from the capture."""
        rates = {
            names.CAMERA: self._camera.captured.sum_per_second(),
            names.PREPROCESS: self._preprocessed.per_second(""),
            names.INFERENCE: self._inferred.sum_per_second(),
            names.SYNC: self._recorded.per_second(""),
        }
        cells = []
        for stage, rate in rates.items():
            after = summary.delay_ms(tally, stage, 0.5)
            cells.append(f"{stage} {rate:.1f}/s{'' if after is None else f' after {number(after)} ms'}")
        return cells

    def _model_cells(self, tally: MetricTotals) -> list[str]:
        runs = summary.runtime_facts(tally)
        if not runs.get("provider"):
            return [f"{self._model or 'model'}: being loaded"]
        cells = runtime_cells(runs, self._model)
        share = summary.measured_share(tally)
        if share is not None and share < 1:
            cells.append(f"measuring what runs best here: {share:.0%}")
        return cells

    def _further_cells(self, tally: MetricTotals) -> list[list[str]]:
        """One list per model beside the main one, or on cameras of its own, with its frames per second."""
        return [
            [
                *runtime_cells(runs, seat),
                f"as {seat}",
                f"{self._by_model.per_second(runs.get('model', '').partition('/')[0]):.1f}/s",
            ]
            for seat, runs in sorted(summary.runtimes(tally).items())
            if seat
        ]

    def _seen_cells(self) -> list[str]:
        frames = self._recorded.per_second("")
        if not frames:
            return ["nothing yet"]
        rates = {label: self._seen.per_second(label) / frames for label in self._seen.latest()}
        shown = [
            f"{label} {rate:.1f}" for label, rate in sorted(rates.items(), key=lambda one: -one[1]) if rate >= 0.05
        ]
        return [f"{', '.join(shown[:SEEN_MAX])} per frame"] if shown else ["nothing in the last seconds"]

    def _row(self, name: str, cells: Sequence[str], width: int, apart: str = ", ") -> list[str]:
        """A label and its cells, as many beside each other as fit; a cell is broken only if it alone is too wide."""
        first = f"  {name:<{LABEL_WIDTH}} "
        rest = " " * len(first)
        lines, line = [], first
        for number_of, cell in enumerate(cells):
            last = number_of == len(cells) - 1
            text = cell if last or not apart.strip() else f"{cell}{apart.rstrip()}"
            gap = "" if line in (first, rest) else (" " if apart.strip() else apart)
            if len(line) + len(gap) + len(text) > width and line not in (first, rest):
                lines.append(line)
                line, gap = rest, ""
            line += gap + text
        lines.append(line)
        broken = [part for one in lines for part in (wrapped(one, rest, width) if len(one) > width else [one])]
        head = broken[0]
        painted = self._paint(DIM, head[: len(first)])
        return [painted + head[len(first) :], *broken[1:]]

    def _paint(self, code: str, text: str) -> str:
        return painted(code, text) if self._colour else text

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


def runtime_cells(runs: Mapping[str, str], name: str) -> list[str]:
    """What serves and what runs it. ``name``: of the model where the metric has none."""
    engine = runs.get("engine") or runs["provider"]
    threads = runs.get("threads")
    on = f"{runs.get('device') or 'CPU'}{f', {threads} threads' if threads not in (None, '', '1') else ''}"
    # What serves, which a twin may have changed since; the digest behind the slash tells people nothing.
    serves = runs.get("model", "").partition("/")[0] or name
    return [f"{serves} {runs['variant']}".strip(), f"{engine} on {on}"]


def hub_cells(tally: MetricTotals) -> list[str]:
    """How many modules have a link to the hub, and which have none."""
    connected, away = summary.hub_links(tally)
    if not connected and not away:
        return ["no module has connected yet"]
    cells = [f"{len(connected)} module{'' if len(connected) == 1 else 's'} connected"]
    return [*cells, f"not connected: {', '.join(away)}"] if away else cells


def delay_cells(delay_ms: Mapping[str, float | None]) -> list[str]:
    """From the capture to sync; ``p50`` and ``p95`` are None before the first frame."""
    if delay_ms["p50"] is None:
        return ["no frame yet"]
    return [f"half of the frames within {number(delay_ms['p50'])} ms", f"95 % within {number(delay_ms['p95'])} ms"]


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def wrapped(text: str, indent: str, width: int) -> list[str]:
    """``text`` in lines of ``width`` columns at most, all but the first behind ``indent``."""
    return textwrap.wrap(text, width, subsequent_indent=indent) or [text]
