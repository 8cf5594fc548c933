"""What the module tells of its runtime: in the reported twin (bounded), by ``get_runtime`` (whole), in metrics."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Trouble
from vigie.runtimes.choosing.choose import Choice, Rejection
from vigie.runtimes.measuring.measure import MeasureProgress
from vigie.runtimes.measuring.measurement import Measured, figures

# A twin's reported properties hold 32 KB in all; what is cut here is whole in ``get_runtime``.
SHOWN_MAX = 12
TEXT_MAX = 240

Phase = Literal["starting", "measuring", "settled", "degraded"]


class Serving(msgspec.Struct, frozen=True):
    """``isolated``: in a process of its own. ``runs``: at a time. ``verdict``: the proof's; empty if unproven."""

    candidate: str
    engine: str
    provider: str
    device: str
    variant: str
    threads: int
    isolated: bool
    runs: int = 1
    verdict: str = ""
    placed: dict[str, int] = {}
    cpu_time_share: float | None = None
    integer_kernels: int | None = None


class ReportedCandidate(msgspec.Struct, frozen=True):
    """One measured candidate. ``joules`` is None where no meter can be read: that is not zero."""

    candidate: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    mb: float
    noise: float
    processes: int
    joules: float | None = None
    meter: str = ""
    agreement: float | None = None
    verdict: str = ""
    note: str = ""


class Open(msgspec.Struct, frozen=True):
    """A candidate whose breaker is or was open."""

    candidate: str
    failures: int
    reason: str
    retry_in_s: int


class RuntimeState(msgspec.Struct, frozen=True):
    """Everything; ``energy``: the meter, or ``unavailable``."""

    phase: Phase = "starting"
    objective: str = "auto"
    serving: Serving | None = None
    chosen: str = ""
    reasons: tuple[str, ...] = ()
    unmet: str = ""
    cached: bool = False
    measured_at: str = ""
    fingerprint: str = ""
    energy: str = "unavailable"
    progress: MeasureProgress | None = None
    measured: tuple[ReportedCandidate, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    breaker: tuple[Open, ...] = ()

    def reported(self) -> dict[str, Any]:
        """For the twin: lists cut, texts shortened; a member that is gone is null, which removes it there."""
        tree: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("measured", "rejected", "breaker", "reasons"):
            tree[name] = [_bounded(item) for item in tree[name][:SHOWN_MAX]]
        if self.serving is not None:
            # A list, because members of an object that are gone would stay in the twin.
            tree["serving"]["placed"] = [f"{name}: {count}" for name, count in self.serving.placed.items()]
        return {key: _bounded(value) if isinstance(value, str) else value for key, value in tree.items()}


def serving_of(candidate: Candidate, known: Measured | None, *, isolated: bool) -> Serving:
    proof = known.proof if known is not None else None
    return Serving(
        candidate=candidate.key,
        engine=candidate.engine,
        provider=candidate.provider,
        device=candidate.device,
        variant=candidate.variant,
        threads=candidate.threads,
        isolated=isolated,
        runs=1 if isolated else candidate.runs,
        verdict=proof.verdict if proof is not None else "",
        placed=proof.placed if proof is not None else {},
        cpu_time_share=proof.cpu_time_share if proof is not None else None,
        integer_kernels=proof.integer_kernels if proof is not None else None,
    )


def shown(measured: Measured) -> ReportedCandidate | None:
    """None for a candidate without figures."""
    found = figures(measured)
    if found is None:
        return None
    return ReportedCandidate(
        candidate=measured.candidate.key,
        p50_ms=found.p50_ms,
        p95_ms=found.p95_ms,
        p99_ms=found.p99_ms,
        per_s=found.per_s,
        cpu_ms=found.cpu_ms,
        mb=found.pss_mb,
        noise=found.noise,
        processes=found.processes,
        joules=found.joules,
        meter=found.meter,
        agreement=measured.parity.agreement if measured.parity is not None else None,
        verdict=measured.proof.verdict if measured.proof is not None else "",
        note=measured.note,
    )


def in_order(measured: dict[str, Measured], choice: Choice) -> tuple[ReportedCandidate, ...]:
    """Best first as ranked, then the rest."""
    ranked = [one.candidate.key for one in choice.ranking]
    keys = [*ranked, *(key for key in measured if key not in ranked)]
    return tuple(line for key in keys if key in measured and (line := shown(measured[key])) is not None)


def opened(troubles: dict[str, Trouble], now_s: float) -> tuple[Open, ...]:
    return tuple(
        Open(key, one.failures, one.reason, max(0, round(one.retry_at_s - now_s))) for key, one in troubles.items()
    )


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else value[: TEXT_MAX - 3] + "..."
    if isinstance(value, dict):
        # edgeHub takes no null inside an array, and an absent member says the same.
        return {key: _bounded(item) for key, item in value.items() if item is not None}
    return value
