"""From what a run found out to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from vigie.models import Bundle
from vigie_devkit.quantize.curve import untimed
from vigie_devkit.quantize.report import FloatLayer, LayerError, Point, Report, VariantReport
from vigie_devkit.quantize.request import QuantizeRequest
from vigie_devkit.quantize.speed import Timing
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.verdict import VariantVerdict
from vigie_devkit.quantize.workbench import Workbench


def build_report(
    request: QuantizeRequest,
    bundle: Bundle,
    bench: Workbench,
    built: Sequence[Built],
    verdicts: Mapping[str, VariantVerdict],
    *,
    float_name: str,
    times: Mapping[int, Mapping[str, Timing]],
    sizes: Mapping[str, int],
    curves: Mapping[str, tuple[Point, ...]],
    warnings: Sequence[str],
    left_out: Sequence[str] = (),
) -> Report:
    """Everything that was found out, in the form that is written down.

    Args: times: by number of threads, then by variant. sizes: bytes of each file. curves: of variants whose mixes were
        written and timed. left_out: a sentence for each recipe that does not suit the network.
    """
    reference = bench.final.reference
    network = bench.network
    budget = bench.budget
    total = sum(layer.multiply_adds for layer in network.layers) or 1

    kept = VariantReport(
        name=float_name,
        why="as it was imported",
        verdict="kept",
        reason="the reference",
        size_bytes=sizes[float_name],
        metric=reference.metric,
        figures=reference.figures,
        times=tuple(one[float_name] for one in times.values()),
    )
    rows = [
        VariantReport(
            name=one.name,
            why=one.recipe.why,
            verdict="shipped" if verdicts[one.name].ships else "refused",
            reason=verdicts[one.name].reason,
            size_bytes=sizes[one.name],
            metric=one.score.metric,
            figures=one.score.figures,
            simulated=None if one.simulated is None else one.simulated.headline,
            integer_share=one.integer_share,
            method=one.method,
            methods=one.methods or {},
            float_layers=tuple(FloatLayer(layer, _because(bench, one, layer)) for layer in one.float_layers),
            targets=verdicts[one.name].targets,
            cpus=one.cpus,
            times=tuple(of_all[one.name] for of_all in times.values()),
            curve=curves.get(one.name) or untimed(one.trials),
        )
        for one in built
    ]
    by_name = {layer.name: layer for layer in network.layers}
    return Report(
        model=bundle.card.name,
        digest=bundle.digest,
        machine=str(bench.machine),
        date=datetime.now(UTC).date().isoformat(),
        targets=request.targets,
        budget=f"at most {budget.max_drop:g} points lost"
        if bench.final.labelled
        else f"agreement of at least {budget.min_agreement:g}",
        calibration=", ".join(request.calibrate),
        calibration_frames=len(bench.calibration),
        judged_on=", ".join(request.judge) or "frames held back of the same",
        judged_frames=len(bench.final.samples),
        labelled=bench.final.labelled,
        metric=reference.metric,
        multiply_adds=total,
        warnings=tuple(warnings),
        left_out=tuple(left_out),
        tail=bench.tail.nodes,
        layers=tuple(
            LayerError(
                one.layer,
                by_name[one.layer].op_type,
                round(one.sqnr_db, 2),
                by_name[one.layer].multiply_adds / total,
                by_name[one.layer].depthwise,
            )
            for one in sorted(bench.sensitivity, key=lambda one: by_name[one.layer].order)
        ),
        variants=(kept, *rows),
    )


def _because(bench: Workbench, built: Built, layer: str) -> str:
    if built.recipe.dynamic:
        return "no plain matrix product: dynamic integers are for MatMul and Gemm only"
    if layer in built.unpaid:
        return "integers are slower here: too few input channels"
    rank, one = next((index, one) for index, one in enumerate(bench.sensitivity) if one.layer == layer)
    return f"alone it brings the outputs to {one.sqnr_db:.1f} dB, number {rank + 1} of {len(bench.sensitivity)}"
