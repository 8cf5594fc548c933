"""Figures beside their bars, medians of repeats, and the Markdown table that docs/benchmarks keeps."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value. ``bar``: the highest value allowed; ``floor``: the lowest; neither: for information."""

    case: str
    name: str
    value: float
    unit: str
    bar: float | None = None
    floor: float | None = None
    note: str = ""


class FigureRow(msgspec.Struct, frozen=True, kw_only=True):
    """The repeats of one figure; ``median`` is compared with the bar."""

    case: str
    name: str
    median: float
    lowest: float
    highest: float
    repeats: int
    unit: str
    bar: float | None
    note: str
    floor: float | None = None

    @property
    def verdict(self) -> str:
        if self.bar is None and self.floor is None:
            return ""
        above = self.bar is not None and self.median > self.bar
        below = self.floor is not None and self.median < self.floor
        return "MISSED" if above or below else "met"


def fold(repeats: Iterable[Sequence[Figure]]) -> list[FigureRow]:
    """Medians over the repeats of a case, in the order in which the figures first came; the last note stands."""
    gathered: dict[tuple[str, str], list[Figure]] = {}
    for figures in repeats:
        for figure in figures:
            gathered.setdefault((figure.case, figure.name), []).append(figure)
    rows = []
    for (case, name), same in gathered.items():
        values = [figure.value for figure in same]
        rows.append(
            FigureRow(
                case=case,
                name=name,
                median=statistics.median(values),
                lowest=min(values),
                highest=max(values),
                repeats=len(values),
                unit=same[-1].unit,
                bar=same[-1].bar,
                floor=same[-1].floor,
                note=same[-1].note,
            )
        )
    return rows


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest-rank quantile.

    Raises: ValueError: no values.
    """
    if not values:
        raise ValueError("no values to take a quantile of")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def quantiles(
    case: str, name: str, values_ms: Sequence[float], bars: tuple[float | None, float | None]
) -> list[Figure]:
    """Median and p95, each under its bar."""
    p50_ms, p95_ms = quantile(values_ms, 0.5), quantile(values_ms, 0.95)
    return [
        Figure(case=case, name=f"{name}, p50", value=p50_ms, unit="ms", bar=bars[0]),
        Figure(case=case, name=f"{name}, p95", value=p95_ms, unit="ms", bar=bars[1]),
    ]


def markdown(rows: Sequence[FigureRow], *, machine: str, date: str, command: str) -> str:
    """The page: what was measured where, when and how, then a table."""
    lines = [
        "# The whole product, measured",
        "",
        f"{date}, {machine}.",
        "",
        f"    {command}",
        "",
        "Medians; the range in brackets is over the repeats. What each case does and how CPU is counted stands in",
        "`devkit/src/vigie_devkit/bench/flow_cases.py` and `beside.py`; the user's loops are `user_loop.py`.",
        "",
        "| case | figure | median | bar | | note |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.case} | {row.name} | {_value(row)} | {_bar(row)} | {row.verdict} | {row.note.replace('|', '/')} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def rows_json(rows: Sequence[FigureRow]) -> str:
    """One line: what ``--json`` prints and ``--compare`` reads."""
    return json.dumps([{**msgspec.to_builtins(row), "verdict": row.verdict} for row in rows])


def read_rows(file: Path) -> list[FigureRow]:
    """What an earlier run printed with ``--json``.

    Raises: OSError. ValueError: something else.
    """
    return msgspec.json.decode(file.read_bytes(), type=list[FigureRow])


def compared(rows: Sequence[FigureRow], base: Sequence[FigureRow]) -> list[tuple[FigureRow, FigureRow, float]]:
    """Each figure that both runs have, with its former row and now over then; where that was 0, 1 means the same."""
    former = {(row.case, row.name, row.unit): row for row in base}
    found = []
    for row in rows:
        if (then := former.get((row.case, row.name, row.unit))) is not None:
            same = 1.0 if row.median == 0 else float("inf")
            found.append((row, then, row.median / then.median if then.median else same))
    return found


def comparison(rows: Sequence[FigureRow], base: Sequence[FigureRow]) -> str:
    """For a terminal: then, now, now over then."""
    return "\n".join(
        f"{row.case:12} {row.name:44} {_number(then.median):>9} -> {_number(row.median):>9} {row.unit:4} {ratio:5.2f}"
        for row, then, ratio in compared(rows, base)
    )


def plain(rows: Sequence[FigureRow]) -> str:
    """The same for a terminal."""
    return "\n".join(
        f"{row.case:18} {row.name:44} {_value(row):>26}  {_bar(row):>12} {row.verdict:7} {row.note}" for row in rows
    )


def _value(row: FigureRow) -> str:
    spread = f" [{_number(row.lowest)}..{_number(row.highest)}]" if row.repeats > 1 else ""
    return f"{_number(row.median)} {row.unit}{spread}".replace(" [", " [", 1)


def _bar(row: FigureRow) -> str:
    if row.floor is not None:
        return f">= {_number(row.floor)}"
    return "" if row.bar is None else f"<= {_number(row.bar)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine(proc: Path = Path("/proc")) -> str:
    """CPU model, cores that may be used, kernel, Python."""
    model = "unknown CPU"
    for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model"} and value.strip():
            model = value.strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}"
