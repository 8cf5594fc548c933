"""Does a variant pay? Per target: what this machine can judge is judged, what it cannot is said.

A file that is both slower and less accurate than fp32 on a CPU is not offered for that CPU, and a file that is left
without a target is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vigie.plurals import counted
from vigie_devkit.quantize.judge import Budget, Score
from vigie_devkit.quantize.machine import Machine
from vigie_devkit.quantize.recipes import Target
from vigie_devkit.quantize.speed import Timing
from vigie_devkit.quantize.variants import Built

# Two measurements of the same file differ by about this much on a shared machine.
NOISE = 0.03


@dataclass(frozen=True, slots=True)
class VariantVerdict:
    """``targets``: what it is offered for; none: refused. ``reason`` says why in one sentence."""

    ships: bool
    targets: tuple[Target, ...]
    reason: str


def judge_variant(
    built: Built,
    wanted: Sequence[Target],
    machine: Machine,
    *,
    reference: Score,
    times: Mapping[int, Timing],
    float_times: Mapping[int, Timing],
) -> VariantVerdict:
    """Decide about one variant.

    Args: reference: the float model's score. times, float_times: by number of threads, of this file and of fp32.
    """
    targets = tuple(target for target in built.recipe.targets if target in set(wanted))
    if built.refusal:
        return VariantVerdict(ships=False, targets=(), reason=f"less accurate than allowed: {built.refusal}")
    ratios = {threads: float_times[threads].cpu_ms / times[threads].cpu_ms for threads in times}
    slower = all(ratio < 1.0 - NOISE for ratio in ratios.values())
    worse = built.score.headline < reference.headline
    told = _told(built, ratios, reference)
    if built.cpus and machine.kind not in built.cpus:
        exact = (
            ""
            if built.simulated is None
            else f" ({built.simulated.metric} {built.simulated.headline:.4f} with exact ones)"
        )
        return VariantVerdict(
            ships=True,
            targets=targets,
            reason=f"{told}; on this CPU ({machine.kind}) its 16-bit sums overflow{exact}, it is for "
            f"{', '.join(built.cpus)}",
        )
    if machine.local in targets and slower and worse:
        targets = tuple(target for target in targets if target != machine.local)
        if not targets:
            return VariantVerdict(
                ships=False, targets=(), reason=f"both slower and less accurate than fp32 here: {told}"
            )
        told += f"; not offered for {machine.local}: slower and less accurate than fp32"
    elsewhere = [target for target in targets if target != machine.local]
    if elsewhere:
        told += f"; its speed on {', '.join(elsewhere)} was not measured: no such hardware here"
    return VariantVerdict(ships=True, targets=targets, reason=told)


def _told(built: Built, ratios: Mapping[int, float], reference: Score) -> str:
    speeds = ", ".join(
        f"{ratio:.2f}x the speed of fp32 with {counted(threads, 'thread')}" for threads, ratio in ratios.items()
    )
    score = built.score
    if not score.labelled:
        return f"{score.metric} {score.headline:.3f}; {speeds}"
    told = f"{score.metric} {100 * score.headline:.1f} ({100 * (score.headline - reference.headline):+.2f} points)"
    if score.asked:  # the mean of all frames hides what one source loses
        measure, lost = Budget.most_lost(reference, score)
        told += f", at worst {-100 * lost:+.2f} ({measure})"
    return f"{told}; {speeds}"
