"""What repetitions of one fault leave behind in a process. Pure: readings in, a verdict out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

# The first repetitions fill pools and caches.
WARM_UP = 2
READINGS_MIN = 6
# Left behind per repetition. Anything that a fault leaves each time is at least one; half of that allows for chance.
_COUNT_LIMIT = 0.25
_MEMORY_LIMIT_MB = 0.3
# An allocator gives back when it likes: a process at rest varies by less than this share of what it holds.
_MEMORY_VARIES = 0.05


@dataclass(frozen=True)
class Reading:
    """What process ``pid`` called ``name`` held after a repetition, once things had settled. ``memory``: in MB."""

    name: str
    pid: int
    memory_mb: float
    handles: Counter[str] = field(default_factory=Counter)
    threads: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Growth:
    """``first`` and ``last``: level after the warm-up and at the end. ``what``: kinds that became more."""

    name: str
    quantity: str
    first: float
    last: float
    per_time: float
    readings: int
    what: str = ""

    @property
    def grows(self) -> bool:
        if self.quantity == "memory_mb":
            return self.per_time > _MEMORY_LIMIT_MB and self.last > self.first * (1 + _MEMORY_VARIES)
        return self.per_time > _COUNT_LIMIT


def growths(readings: Iterable[Reading]) -> list[Growth]:
    """By process that lived through at least ``READINGS_MIN`` repetitions, the last incarnation of each name."""
    by_name: dict[str, list[Reading]] = {}
    for reading in readings:
        series = by_name.setdefault(reading.name, [])
        if series and series[-1].pid != reading.pid:
            series.clear()
        series.append(reading)
    found = []
    for name, whole in sorted(by_name.items()):
        series = whole[WARM_UP:]
        if len(series) < READINGS_MIN - WARM_UP:
            continue
        found.append(_growth(name, "handles", [sum(one.handles.values()) for one in series], _more(series, "handles")))
        found.append(_growth(name, "threads", [sum(one.threads.values()) for one in series], _more(series, "threads")))
        found.append(_growth(name, "memory_mb", [one.memory_mb for one in series], ""))
    return found


def _growth(name: str, quantity: str, values: Sequence[float], what: str) -> Growth:
    """Between the medians of the first and the last third: one reading in a bad moment says nothing."""
    third = max(1, len(values) // 3)
    first, last = median(values[:third]), median(values[-third:])
    return Growth(name, quantity, first, last, (last - first) / (len(values) - third), len(values), what)


def _more(series: Sequence[Reading], quantity: str) -> str:
    third = max(1, len(series) // 3)
    kinds = {kind for one in series for kind in getattr(one, quantity)}
    changes = []
    for kind in sorted(kinds):
        counts = [getattr(one, quantity)[kind] for one in series]
        if (more := median(counts[-third:]) - median(counts[:third])) > 0:
            changes.append(f"{kind} +{more:g}")
    return ", ".join(changes)


def describe_growth(fault: str, found: Iterable[Growth]) -> str:
    """Markdown rows of what is counted, one per process and quantity that is not at its level; one row if all are."""
    rows = [
        f"| {fault} | {one.name} | {one.quantity} | {one.first:.1f} | {one.last:.1f} | {one.per_time:+.2f} "
        f"| {one.what} |"
        for one in found
        if one.grows
    ]
    return "\n".join(rows or [f"| {fault} | all | all | | | level | |"])


HEAD = "| fault | process | quantity | first | last | per repetition | more of |\n|---|---|---|---|---|---|---|"
