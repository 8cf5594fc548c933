"""Every candidate of this machine for one bundle: measured, judged, ranked as the inference module would do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from vigie.models import Bundle, load_bundle
from vigie.runtimes import Candidate
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.choose import Choice, Rejection, choose
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.layer_times import LayerTime, advice, layer_times
from vigie.runtimes.measuring.measure import MeasurePlan, MeasureProgress, measure_all
from vigie.runtimes.measuring.measurement import Figures, Measured, figures
from vigie.runtimes.parity import ParityResult
from vigie.runtimes.proof import Proof
from vigie.runtimes.reference_frames import reference_frames

SLOWEST = 8


class CandidateLine(msgspec.Struct, frozen=True):
    """One candidate. ``why_not`` is empty for those that may serve; ``figures`` is None for those without."""

    candidate: str
    figures: Figures | None
    parity: ParityResult | None
    proof: Proof | None
    why_not: str = ""
    note: str = ""


class BenchResult(msgspec.Struct, frozen=True):
    """``slowest`` layers are of the chosen candidate; empty where its engine does not tell."""

    model: str
    objective: str
    chosen: str | None
    reasons: tuple[str, ...]
    candidates: tuple[CandidateLine, ...]
    not_here: tuple[Rejection, ...]
    slowest: tuple[LayerTime, ...]
    advice: tuple[str, ...]
    energy: str


def bench_bundle(
    folder: Path,
    objective: Objective,
    *,
    processes: int,
    say: Callable[[str], None],
    emulation: bool = False,
    remote: Mapping[str, str] | None = None,
    delegate: NamedDelegate | None = None,
) -> BenchResult:
    """Measure what ``objective`` allows.

    Args: remote: options of an inference server, as one more candidate. delegate: of LiteRT, as one more.

    Raises: any error of ``load_bundle``.
    """
    bundle = load_bundle(folder)
    here = candidates_here(bundle, emulation=emulation, remote=remote, delegate=delegate)
    asked = [one for one in here.candidates if objective.require.all_of(one) and not objective.forbid.any_of(one)]
    not_here = here.not_here(objective)
    measured = sweep(bundle, asked, processes, say)
    choice = choose(measured, objective, not_here)
    chosen = choice.chosen
    slowest: tuple[LayerTime, ...] = ()
    if chosen is not None and (frames := reference_frames(bundle)):
        slowest = layer_times(bundle, chosen, frames[0][0])
    precision = "" if chosen is None else bundle.variant(chosen.variant).precision
    return BenchResult(
        model=bundle.card.name,
        objective=objective.kind,
        chosen=None if chosen is None else chosen.key,
        reasons=choice.reasons,
        candidates=lines(measured, choice),
        not_here=not_here,
        slowest=slowest[:SLOWEST],
        advice=advice(slowest, precision),
        energy=next((one.figures.meter for one in choice.ranking if one.figures.meter), "unavailable"),
    )


def sweep(
    bundle: Bundle, candidates: Sequence[Candidate], processes: int, say: Callable[[str], None]
) -> list[Measured]:
    """Interleaved rounds at ordinary priority: nothing else is being served."""

    def before(progress: MeasureProgress) -> bool:
        say(f"{progress.done + 1}/{progress.total} {progress.candidate}")
        return True

    return measure_all(bundle, candidates, MeasurePlan(processes=processes, nice=0), before=before) or []


def lines(measured: Sequence[Measured], choice: Choice) -> tuple[CandidateLine, ...]:
    """Best first, then those that may not serve."""
    by_key = {one.candidate.key: one for one in measured}
    why_not = {one.candidate: one.reason for one in choice.rejected}
    order = [one.candidate.key for one in choice.ranking]
    order += [key for key in by_key if key not in order]
    return tuple(
        CandidateLine(
            key, figures(by_key[key]), by_key[key].parity, by_key[key].proof, why_not.get(key, ""), by_key[key].note
        )
        for key in order
    )


def describe(result: BenchResult) -> str:
    """The same for people."""
    width = max([len("candidate"), *(len(line.candidate) for line in result.candidates)])
    head = f"{'candidate':{width}}   p50 ms   p95 ms   p99 ms      /s   CPU ms      MB  load s  agrees  ran"
    text = [f"{result.model}, for {result.objective}; energy meter: {result.energy}", "", head]
    for line in result.candidates:
        mark = "*" if line.candidate == result.chosen else " "
        text.append(f"{line.candidate:{width}} {mark} {_row(line)}")
        if line.why_not:
            text.append(f"{'':{width}}   no: {line.why_not}")
        elif line.note:
            text.append(f"{'':{width}}   {line.note}")
    text += ["", *(f"{'chosen' if not number else '':9} {reason}" for number, reason in enumerate(result.reasons))]
    if result.slowest:
        text += ["", f"slowest layers of {result.chosen}:"]
        text += [f"  {one.ms:8.3f} ms {one.share:5.1%}  {one.operator:18} {one.name}" for one in result.slowest]
    text += [f"advice    {sentence}" for sentence in result.advice]
    within_reach = [one for one in result.not_here if one.remedy]
    if within_reach:
        text += ["", "not here, but within reach (./vigie doctor says more):"]
        text += [f"  {one.candidate}: {one.reason}; {one.remedy}" for one in within_reach]
    return "\n".join(text)


def _row(line: CandidateLine) -> str:
    found = line.figures
    agrees = f"{line.parity.agreement:6.3f}" if line.parity is not None else "     -"
    ran = line.proof.verdict if line.proof is not None else "-"
    if found is None:
        return f"{'-':>6}   {'-':>6}   {'-':>6}  {'-':>6}   {'-':>6}  {'-':>6}  {'-':>6}  {agrees}  {ran}"
    return (
        f"{found.p50_ms:6.2f}   {found.p95_ms:6.2f}   {found.p99_ms:6.2f}  {found.per_s:6.1f}   {found.cpu_ms:6.2f}  "
        f"{found.pss_mb:6.1f}  {found.load_s:6.2f}  {agrees}  {ran}"
    )
