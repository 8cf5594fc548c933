"""Is what is chosen the best there is? An exhaustive sweep against the choice, over several models.

``python -m vigie_devkit.bench.choice [--yolox yolox_nano.onnx] [--processes 6] [--write docs/benchmarks/choice.md]``.
The choice is made from measurements of its own, as the module makes it (candidates without hope dropped after a round);
the sweep measures every candidate in every round. The figure is how much slower the chosen one is than the best of the
sweep, by the median of their ratios round by round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie.models import Bundle, load_bundle
from vigie.runtimes import Candidate, probe
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.choose import NOISE_SHARE_MAX, TIE_SHARE, choose
from vigie.runtimes.choosing.objective import Kind, Objective
from vigie.runtimes.measuring.measure import MeasurePlan, MeasureProgress, measure_all, measure_once
from vigie.runtimes.measuring.measurement import Measured, figures
from vigie_devkit.bench.classifier import write_classifier
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.models.importer import import_model

SHIPPED = CHECKOUT / "shared/models/conveyor-parts"
BAR = 0.05
OBJECTIVES: tuple[Kind, ...] = ("latency", "energy")


class ChoiceVerdict(msgspec.Struct, frozen=True):
    """``behind``: by how much the chosen one is slower than the sweep's best; ``noise``: half the ratio's spread."""

    model: str
    objective: Kind
    chosen: str
    best: str
    behind: float
    noise: float

    @property
    def met(self) -> bool:
        return self.behind <= max(BAR, min(self.noise, NOISE_SHARE_MAX))


def sweep(bundle: Bundle, candidates: Sequence[Candidate], plan: MeasurePlan) -> list[Measured]:
    """Every candidate in every round, whatever came before."""
    held = [Measured(candidate) for candidate in candidates]
    for turn in range(plan.processes):
        for number, one in enumerate(held):
            if one.failure is None and (one.parity is None or one.parity.passed):
                say(f"{bundle.card.name}: sweep {turn + 1}/{plan.processes} {one.candidate.key}")
                held[number] = measure_once(bundle, one, plan, stop=lambda: False)
    return held


def compare(model: str, kind: Kind, chosen: Candidate, swept: Sequence[Measured]) -> ChoiceVerdict:
    """The chosen candidate beside the best of the sweep that may serve."""
    fit = [one for one in swept if one.failure is None and one.parity is not None and one.parity.passed and one.trials]
    read = "p50_ms" if kind == "latency" else "cpu_ms"
    best = min(fit, key=lambda one: statistics.median(getattr(trial, read) for trial in one.trials))
    mine = next(one for one in fit if one.candidate.key == chosen.key)
    ratios = [getattr(a, read) / getattr(b, read) for a, b in zip(mine.trials, best.trials, strict=True)]
    spread = 0.0
    if len(ratios) >= 3:
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        spread = (high - low) / 2
    behind = statistics.median(ratios) - 1.0
    return ChoiceVerdict(model, kind, chosen.key, best.candidate.key, round(behind, 4), round(spread, 4))


def bench(folder: Path, plan: MeasurePlan) -> tuple[list[ChoiceVerdict], list[Measured]]:
    bundle = load_bundle(folder)
    here = candidates_here(bundle)
    measured = measure_all(bundle, here.candidates, plan, before=_shown) or []
    swept = sweep(bundle, here.candidates, plan)
    verdicts = []
    for kind in OBJECTIVES:
        chosen = choose(measured, Objective(kind=kind)).chosen
        if chosen is not None:
            verdicts.append(compare(bundle.card.name, kind, chosen, swept))
    return verdicts, swept


def _shown(progress: MeasureProgress) -> bool:
    say(f"choice {progress.done + 1}/{progress.total} {progress.candidate}")
    return True


def page(
    verdicts: Sequence[ChoiceVerdict], swept: Sequence[tuple[str, Sequence[Measured]]], plan: MeasurePlan, command: str
) -> str:
    """The Markdown of docs/benchmarks/choice.md."""
    report = probe()
    packages = ", ".join(f"{one.name} {one.version}" for one in report.packages)
    lines = [
        "# The choice against an exhaustive sweep",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {report.cpu.model}, {report.cpu.threads} threads; {packages}.",
        f"Command: `{command}`. {plan.processes} fresh processes a candidate, interleaved",
        "rounds, choice and sweep each with measurements of their own. Bar: the chosen candidate is within 5 % of the",
        f"sweep's best, or within the measured noise (at most {NOISE_SHARE_MAX:.0%}); below {TIE_SHARE:.0%} or the",
        "noise a difference is a tie and goes to fewer threads.",
        "",
        "| model | objective | chosen | best of the sweep | behind | noise | bar |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.model} | {one.objective} | `{one.chosen}` | `{one.best}` | {one.behind:+.1%} | {one.noise:.1%} | "
        f"{'met' if one.met else 'missed'} |"
        for one in verdicts
    ]
    for model, measured in swept:
        lines += [
            "",
            f"## {model}",
            "",
            "| candidate | p50 ms | p95 ms | CPU ms | MB | load s | agreement | proof | why not |",
            "|---|---|---|---|---|---|---|---|---|",
            *(_row(one) for one in measured),
        ]
    return "\n".join(lines) + "\n"


def _row(one: Measured) -> str:
    found = figures(one)
    agreement = f"{one.parity.agreement:.3f}" if one.parity is not None else ""
    verdict = one.proof.verdict if one.proof is not None else ""
    why = one.failure.reason if one.failure is not None else (one.parity.why if one.parity is not None else "")
    numbers = (
        " | | | | "
        if found is None
        else f"{found.p50_ms:.2f} | {found.p95_ms:.2f} | {found.cpu_ms:.2f} | {found.pss_mb:.0f} | {found.load_s:.2f}"
    )
    return f"| `{one.candidate.key}` | {numbers} | {agreement} | {verdict} | {why.replace('|', '/')} |"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Print the page, or write it. Exit code 1: a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--yolox", type=Path, help="a YOLOX-nano export (.onnx)")
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="further bundles")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--write", type=Path, help="the page, in place of stdout")
    args = parser.parse_args()
    plan = MeasurePlan(processes=args.processes, nice=0)
    verdicts: list[ChoiceVerdict] = []
    swept: list[tuple[str, list[Measured]]] = []
    with tempfile.TemporaryDirectory(prefix="vigie-choice-") as name:
        folders = [SHIPPED, *args.bundle]
        if args.yolox is not None:
            folders.append(import_model(args.yolox, Path(name) / "yolox-nano", name="yolox-nano"))
        folders.append(write_classifier(Path(name)))
        command = f"python -m vigie_devkit.bench.choice --yolox yolox_nano.onnx --processes {args.processes}"
        for folder in folders:
            found, measured = bench(folder, plan)
            verdicts += found
            swept.append((found[0].model if found else folder.name, measured))
            if args.write is not None:  # after each model: a long run that is ended leaves what it found
                args.write.write_text(page(verdicts, swept, plan, command), encoding="utf-8")
    if args.write is None:
        print(page(verdicts, swept, plan, command))
    return 0 if all(one.met for one in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
