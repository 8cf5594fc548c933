"""What was measured of one candidate: raw trials, one a process, and the figures that are drawn from them."""

from __future__ import annotations

import statistics
from typing import Literal

import msgspec

from vigie.runtimes.candidate import Candidate
from vigie.runtimes.parity import ParityResult
from vigie.runtimes.proof import Proof

Trouble = Literal["refused", "crashed", "hung", "memory", "ended_the_module"]


class Failure(msgspec.Struct, frozen=True):
    """Why a candidate has no figures; ``remedy`` is empty where there is none to give."""

    trouble: Trouble
    reason: str
    remedy: str = ""


class ProcessTrial(msgspec.Struct, frozen=True):
    """One fresh process: loaded, warmed up, ``runs`` timed. Times in ms of one run, ``cpu_ms`` over all its threads.

    ``per_s``: runs a second of all that run at a time. ``p10_ms``: a tenth of the runs were this quick or quicker.

    ``joules`` per run of the domain ``meter``, None where no meter can be read.
    """

    load_s: float
    first_ms: float
    runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    pss_mb: float
    joules: float | None = None
    meter: str = ""
    p10_ms: float | None = None

    @property
    def undisturbed_ms(self) -> float:
        """Of a run that nobody took the CPU from: the quickest tenth, which a loaded machine leaves nearly alone."""
        return self.p50_ms if self.p10_ms is None else self.p10_ms


class Measured(msgspec.Struct, frozen=True):
    """``parity`` and ``proof`` are of the first process. ``note``: why it was measured less often than others."""

    candidate: Candidate
    trials: tuple[ProcessTrial, ...] = ()
    parity: ParityResult | None = None
    proof: Proof | None = None
    failure: Failure | None = None
    note: str = ""


class Figures(msgspec.Struct, frozen=True):
    """Medians over the processes of a candidate. ``noise``: half the spread of the middle half, as a share of p50."""

    processes: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    load_s: float
    pss_mb: float
    noise: float
    joules: float | None = None
    meter: str = ""


def figures(measured: Measured) -> Figures | None:
    """None for a candidate that has no trial."""
    trials = measured.trials
    if not trials:
        return None
    medians = sorted(trial.p50_ms for trial in trials)
    middle = statistics.median(medians)
    joules = [trial.joules for trial in trials if trial.joules is not None]
    return Figures(
        processes=len(trials),
        p50_ms=round(middle, 3),
        p95_ms=round(statistics.median(trial.p95_ms for trial in trials), 3),
        p99_ms=round(statistics.median(trial.p99_ms for trial in trials), 3),
        per_s=round(statistics.median(trial.per_s for trial in trials), 2),
        cpu_ms=round(statistics.median(trial.cpu_ms for trial in trials), 3),
        load_s=round(statistics.median(trial.load_s for trial in trials), 3),
        pss_mb=round(max(trial.pss_mb for trial in trials), 1),
        noise=round(_half_spread(medians) / middle, 4) if middle else 0.0,
        joules=statistics.median(joules) if joules else None,
        meter=next((trial.meter for trial in trials if trial.joules is not None), ""),
    )


def _half_spread(ordered: list[float]) -> float:
    """Half the distance between the quartiles; with one or two values nothing is known, so 0."""
    if len(ordered) < 3:
        return 0.0
    low, _, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return (high - low) / 2
