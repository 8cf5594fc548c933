"""Does it grow? Slopes of what a process holds, over all its incarnations. Pure: samples in, verdicts out.

The slope is the common one of all incarnations by least squares; its error is the cluster-robust one, with blocks of
time as clusters. Source: Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73(1),
1986.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# In its first minutes a process fills its libraries, caches and pools: not a leak.
WARM_UP_S = 180.0
_SAMPLES_MIN = 6
# Samples near each other say the same thing (a thread more stays for minutes): only blocks this far apart count as
# observations of their own.
BLOCK_S = 600.0


@dataclass(frozen=True)
class ProcessSample:
    """``values`` by quantity at ``at_s`` (seconds since the soak began) of process ``pid`` called ``name``."""

    at_s: float
    name: str
    pid: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Slope:
    """``per_hour`` with its standard error, of ``samples``; None where too few say anything. ``limit``: per hour."""

    name: str
    quantity: str
    first: float
    last: float
    per_hour: float | None
    error: float
    samples: int
    limit: float

    @property
    def grows(self) -> bool:
        """Above the limit, and by more than chance."""
        return self.per_hour is not None and self.per_hour - 3 * self.error > self.limit


# What an hour may add. Memory: an allocator's fragments; disk: what a ledger and logs may take is bounded elsewhere.
LIMITS = {"memory_mb": 4.0, "threads": 1.0, "handles": 2.0, "disk_mb": 60.0, "rings_mb": 2.0}


def slopes(samples: Iterable[ProcessSample]) -> list[Slope]:
    """By name and quantity: the common slope of all incarnations, each with a level of its own."""
    series: dict[tuple[str, str], dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        for quantity, value in sample.values.items():
            series[sample.name, quantity][sample.pid].append((sample.at_s, value))
    return [_slope(name, quantity, list(of.values())) for (name, quantity), of in sorted(series.items())]


def _slope(name: str, quantity: str, incarnations: list[list[tuple[float, float]]]) -> Slope:
    first, last = incarnations[0][0][1], incarnations[-1][-1][1]
    warm = [[(at, value) for at, value in one if at - one[0][0] >= WARM_UP_S] for one in incarnations]
    warm = [one for one in warm if len(one) >= 2]
    count = sum(map(len, warm))
    limit = LIMITS[quantity]
    spread = covered = 0.0
    for one in warm:
        at_mean, value_mean = (sum(column) / len(one) for column in zip(*one, strict=True))
        spread += sum((at - at_mean) ** 2 for at, _ in one)
        covered += sum((at - at_mean) * (value - value_mean) for at, value in one)
    if count < _SAMPLES_MIN or not spread:
        return Slope(name, quantity, first, last, None, 0.0, count, limit)
    slope = covered / spread
    scores = [score for one in warm for score in _block_scores(one, slope)]
    if len(scores) < 2:
        return Slope(name, quantity, first, last, None, 0.0, count, limit)
    error = math.sqrt(sum(score**2 for score in scores) * len(scores) / (len(scores) - 1)) / spread
    return Slope(name, quantity, first, last, slope * 3600, error * 3600, count, limit)


def _block_scores(incarnation: list[tuple[float, float]], slope: float) -> list[float]:
    """Per block: the sum of the residuals, each times its distance from the middle of the time."""
    at_mean, value_mean = (sum(column) / len(incarnation) for column in zip(*incarnation, strict=True))
    blocks: dict[int, float] = defaultdict(float)
    for at, value in incarnation:
        block = int((at - incarnation[0][0]) / BLOCK_S)
        blocks[block] += (at - at_mean) * (value - value_mean - slope * (at - at_mean))
    return list(blocks.values())


def describe(found: Iterable[Slope]) -> str:
    """A Markdown table."""
    lines = [
        "| process | quantity | first | last | slope per hour | allowed | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        slope = "too few samples" if one.per_hour is None else f"{one.per_hour:+.2f} (+-{one.error:.2f})"
        verdict = "not judged" if one.per_hour is None else "GROWS" if one.grows else "flat"
        lines.append(
            f"| {one.name} | {one.quantity} | {one.first:.1f} | {one.last:.1f} | {slope} | {one.limit:g} | {verdict} |"
        )
    return "\n".join(lines) + "\n"
