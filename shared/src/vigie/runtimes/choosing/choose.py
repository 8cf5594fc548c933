"""Measurements and an objective to a decision with reasons: a pure function, so a changed objective costs nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import msgspec

from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.measuring.measurement import Figures, Measured, ProcessTrial, figures
from vigie.runtimes.remedy import SEE_DOCTOR

# Closer than this is a tie whatever the noise: nobody notices it, and it turns with the next measurement.
TIE_SHARE = 0.03
# More noise than this is no reason to call twice as slow a tie.
NOISE_SHARE_MAX = 0.10


Reading = Callable[[Candidate, ProcessTrial], float]


class Rejection(msgspec.Struct, frozen=True):
    """Why a candidate is not chosen; ``remedy`` is empty where there is nothing to do about it."""

    candidate: str
    reason: str
    remedy: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    """``is_other``: it is not what is required; else it might be, and something stands against it."""

    reason: str
    remedy: str = ""
    is_other: bool = False


class Ranked(msgspec.Struct, frozen=True):
    """A candidate that may serve. ``value`` is what the objective reads, the smaller the better."""

    candidate: Candidate
    value: float
    unit: str
    figures: Figures


class Choice(msgspec.Struct, frozen=True):
    """``ranking`` is best first: the first is the choice, the others are what is left should it fail.

    ``unmet``: why ``require`` is not satisfied, with the remedy; empty if it is, or if nothing is required.
    """

    ranking: tuple[Ranked, ...]
    rejected: tuple[Rejection, ...]
    reasons: tuple[str, ...]
    unmet: str = ""

    @property
    def chosen(self) -> Candidate | None:
        return self.ranking[0].candidate if self.ranking else None


def choose(measured: Sequence[Measured], objective: Objective, not_here: Sequence[Rejection] = ()) -> Choice:
    """Rank what was measured.

    Args: not_here: candidates that were never measured, because this machine lacks something.
    """
    rejected: list[Rejection] = []
    fit: list[Measured] = []
    near: list[Rejection] = []
    for one in measured:
        refusal = _refusal(one, objective)
        if refusal is None:
            fit.append(one)
            continue
        rejected.append(Rejection(one.candidate.key, refusal.reason, refusal.remedy))
        if not refusal.is_other:
            near.append(rejected[-1])
    lacking = sorted(not_here, key=lambda one: not one.remedy)
    ranking, reasons = _rank(fit, objective)
    unmet = "" if ranking or objective.require.names_nothing() else _unmet(objective, [*near, *lacking])
    return Choice(tuple(ranking), (*rejected, *lacking), tuple(reasons), unmet)


def _refusal(one: Measured, objective: Objective) -> _Refusal | None:
    """None for a candidate that may serve."""
    candidate = one.candidate
    if objective.forbid.any_of(candidate):
        return _Refusal("forbidden by $.runtime.forbid", "take it off the list to allow it")
    if not objective.require.all_of(candidate):
        return _Refusal(f"not what $.runtime.require names ({objective.require.in_words()})", is_other=True)
    if one.failure is not None:
        return _Refusal(one.failure.reason, one.failure.remedy)
    return _disagrees(one, objective) or _not_proven(one, objective) or _beyond_bounds(one, objective)


def _disagrees(one: Measured, objective: Objective) -> _Refusal | None:
    parity = one.parity
    if parity is not None and not parity.passed:
        return _Refusal(
            f"does not agree with the reference: {parity.why}", "use another variant, or quantize with more care"
        )
    if parity is not None and objective.accuracy_floor is not None and parity.agreement < objective.accuracy_floor:
        floor = objective.accuracy_floor
        reason = f"agreement with the reference is {parity.agreement:g}, $.runtime.accuracy_floor is {floor:g}"
        return _Refusal(reason, "lower the floor, or use a variant of higher precision")
    return None


def _not_proven(one: Measured, objective: Objective) -> _Refusal | None:
    proof, anything_goes = one.proof, objective.require.names_nothing()
    if proof is None or proof.verdict == "full":
        return None
    if proof.verdict == "none":
        return _Refusal(f"nothing ran where it was asked: {proof.reason}", proof.remedy)
    if proof.verdict == "emulated" and anything_goes:
        return _Refusal("runs in emulation here, so its speed says nothing", "require it to use it all the same")
    if proof.verdict == "partial" and not anything_goes:
        return _Refusal(f"required, but only a part of it ran where it was asked: {proof.reason}", proof.remedy)
    return None


def _beyond_bounds(one: Measured, objective: Objective) -> _Refusal | None:
    found = figures(one)
    if found is None:
        return _Refusal("not measured")
    limit = objective.memory_mb_max
    if limit is not None and found.pss_mb > limit:
        return _Refusal(f"needs {found.pss_mb:.0f} MB, $.runtime.memory_mb_max is {limit:g}", "allow more memory")
    if objective.kind == "energy" and found.joules is None and one.candidate.device != "CPU":
        return _Refusal(
            "no energy meter can be read here, and CPU time says nothing of another device's energy",
            "give the module a meter to read (docs/runtimes.md), or choose another objective",
        )
    return None


def _rank(fit: Sequence[Measured], objective: Objective) -> tuple[list[Ranked], list[str]]:
    metered = bool(fit) and all(trial.joules is not None for one in fit for trial in one.trials)
    value, unit = _reading(objective, metered=metered)
    order = sorted(fit, key=lambda one: _value(one, value))
    preferred = [one for one in order if objective.prefer.all_of(one.candidate)]
    reasons = []
    if not objective.prefer.names_nothing():
        if preferred:
            order = [*preferred, *(one for one in order if one not in preferred)]
            reasons.append(f"preferred: {objective.prefer.in_words()}")
        else:
            reasons.append(f"nothing of what is preferred ({objective.prefer.in_words()}) may serve")
    if not order:
        return [], ["no candidate may serve"]
    if objective.kind == "energy" and not metered:
        reasons.append("no energy meter can be read: CPU seconds per inference stand for energy, as an estimate")
    group = preferred or order
    tied = [one for one in group if is_tie(one, group[0], value)]
    best = min(tied, key=lambda one: (one.candidate.threads, one.candidate.engine != "onnxruntime", group.index(one)))
    order.remove(best)
    order.insert(0, best)
    ranking = [
        Ranked(one.candidate, round(_value(one, value), 4), unit, found)
        for one in order
        if (found := figures(one)) is not None
    ]
    reasons.insert(0, _headline(ranking, objective))
    if len(tied) > 1:
        others = ", ".join(one.candidate.key for one in tied if one is not best)
        reasons.append(f"within the noise of {others}: the one of fewer threads")
    return ranking, reasons


def _headline(ranking: Sequence[Ranked], objective: Objective) -> str:
    best = ranking[0]
    text = f"{objective.kind}: {best.candidate.key} takes {best.value:g} {best.unit}"
    if len(ranking) > 1:
        text += f"; next {ranking[1].candidate.key} {ranking[1].value:g}"
    return text


def _reading(objective: Objective, *, metered: bool) -> tuple[Reading, str]:
    """What an objective reads of a candidate's trial, the smaller the better, and its unit.

    Measuring shares the CPUs with whatever else runs, so wall time says more of the others than of the candidate:
    latency reads the quickest tenth, and throughput on a CPU the CPU time, spread over the threads that share it.
    """
    if objective.kind == "latency":
        return (lambda _, trial: trial.undisturbed_ms), "ms per run, undisturbed"
    if objective.kind in {"throughput", "auto"}:
        return _spread_ms, "ms per inference, as many at a time as it runs"
    if metered:
        return (lambda _, trial: trial.joules or 0.0), "J per inference"
    return (lambda _, trial: trial.cpu_ms), "CPU ms per inference (an estimate of energy)"


def _spread_ms(candidate: Candidate, trial: ProcessTrial) -> float:
    if candidate.device != "CPU":
        return 1e3 / trial.per_s
    return max(trial.cpu_ms / (candidate.threads * candidate.runs), trial.undisturbed_ms / candidate.runs)


def _value(one: Measured, value: Reading) -> float:
    return statistics.median(value(one.candidate, trial) for trial in one.trials)


def is_tie(one: Measured, best: Measured, value: Reading) -> bool:
    """Whether ``one`` cannot be told from ``best``: by their ratio round by round, which a busy moment leaves alone."""
    if one is best:
        return True
    pairs = zip(one.trials, best.trials, strict=False)
    ratios = sorted(value(one.candidate, mine) / value(best.candidate, other) for mine, other in pairs)
    middle = statistics.median(ratios)
    spread = 0.0
    if len(ratios) >= 3:
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        spread = (high - low) / 2
    return middle - 1.0 <= max(TIE_SHARE, min(spread, NOISE_SHARE_MAX))


def _unmet(objective: Objective, near: Sequence[Rejection]) -> str:
    """Why nothing of what is required may serve. ``near``: the candidates that it names."""
    why = "; ".join(
        dict.fromkeys(f"{one.candidate}: {one.reason}" + (f" ({one.remedy})" if one.remedy else "") for one in near)
    )
    told = why[:600] or f"no candidate has it; {SEE_DOCTOR}"
    return f"required {objective.require.in_words()}, and it cannot serve: {told}"
