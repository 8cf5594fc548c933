"""The quantized bundle: float variant, variants that pay, reference frames, cards with measured facts, one rename."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.models import Bundle, Card
from vigie.models.bundle import CARD_FILE
from vigie.models.card import Calibration, CardVariant, MeasuredFigure, Parity, Reference, write_card
from vigie.models.reference import ReferencePair, write_reference
from vigie.plurals import counted
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.accuracy.parity_score import parity_score
from vigie_devkit.models.writer import REFERENCE_FILE, staged
from vigie_devkit.quantize.qdq import opset
from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.report import Report
from vigie_devkit.quantize.samples import TensorSample, spread
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.verdict import VariantVerdict
from vigie_devkit.quantize.workbench import Workbench, file_run

REFERENCE_FRAMES = 4
# A device's kernels round otherwise than this machine's; one detection at the threshold must not refuse a variant.
PARITY_MARGIN = 0.1


def write_quantized(
    folder: Path,
    bundle: Bundle,
    *,
    float_name: str,
    shipped: Sequence[tuple[Built, VariantVerdict]],
    bench: Workbench,
    report: Report,
) -> Path:
    """Write the bundle as a whole or not at all, then verify it as a device would.

    Raises: BundleError: not writable.
    """
    with staged(folder) as staging:
        card = _card(staging, bundle, float_name=float_name, shipped=shipped, bench=bench, report=report)
        (staging / CARD_FILE).write_bytes(write_card(card))
    return folder.absolute()


def _card(
    staging: Path,
    bundle: Bundle,
    *,
    float_name: str,
    shipped: Sequence[tuple[Built, VariantVerdict]],
    bench: Workbench,
    report: Report,
) -> Card:
    facts = bundle.card.variants[float_name]
    content = bundle.variant(float_name).read()
    for name, part in {facts.file: content.graph, **content.external}.items():
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).write_bytes(part)
    score_min = bench.card.thresholds.score_min
    pairs = [_pair(bench, sample) for sample in pick_frames(bench)]
    reference = Reference(
        file=REFERENCE_FILE,
        sha256=write_reference(staging / REFERENCE_FILE, pairs),
        variant=float_name,
        samples=len(pairs),
        score_min=score_min,
    )
    variants: dict[str, CardVariant] = {float_name: facts}
    data = hashlib.sha256()
    for sample in bench.calibration:
        data.update(sample.tensor_hwc.tobytes())
    for built, verdict in shipped:
        file = f"{built.name}.onnx"
        (staging / file).write_bytes(built.content)
        # Kernels of a CPU that the file is not for say nothing of it.
        exact = built.simulated is None
        run = file_run(built.content, bench.card, bench.machine.threads, kernels=exact)
        here = parity_score(
            bench.card, [pair.outputs for pair in pairs], [run(pair.tensor_hwc) for pair in pairs], score_min=score_min
        )
        variants[built.name] = _variant(
            built, verdict, bench, report, file=file, data_sha256=data.hexdigest(), here=here
        )
    return msgspec.structs.replace(bundle.card, variants=variants, reference=reference)


def _variant(
    built: Built, verdict: VariantVerdict, bench: Workbench, report: Report, *, file: str, data_sha256: str, here: float
) -> CardVariant:
    recipe, row = built.recipe, report.variant(built.name)
    evidence = [
        MeasuredFigure(metric=name, value=round(value, 4), samples=report.judged_frames, date=report.date)
        for name, value in built.true_score.figures.items()
    ]
    float_row = report.variants[0]
    for mine, theirs in zip(row.times, float_row.times, strict=True):
        threads = f"{counted(mine.threads, 'thread')}"
        evidence.append(
            MeasuredFigure(
                metric=f"speed against fp32, CPU time, {threads}",
                value=round(theirs.cpu_ms / mine.cpu_ms, 2),
                where=report.machine,
                date=report.date,
            )
        )
    agreed = built.true_score.agreement
    return CardVariant(
        file=file,
        sha256=hashlib.sha256(built.content).hexdigest(),
        precision=recipe.precision,
        form=_form(recipe),
        activations=recipe.activations,
        weights="s8" if recipe.is_integer else "float",
        symmetric=recipe.symmetric_activations if recipe.is_integer else None,
        per_channel=recipe.per_channel if recipe.is_integer else None,
        reduce_range=recipe.reduce_range if recipe.is_integer else None,
        integer_share=round(built.integer_share, 4) if recipe.is_integer else None,
        float_layers=built.float_layers,
        opset=opset(bench.network.model),
        calibration=Calibration(method=built.method, samples=len(bench.calibration), dataset_sha256=data_sha256)
        if recipe.is_integer and not recipe.dynamic
        else None,
        targets=verdict.targets,
        cpus=built.cpus,
        parity=Parity(
            metric="top1" if bench.card.task == "classification" else "f1",
            value=round(agreed, 4),
            minimum=round(max(0.0, min(agreed, here) - PARITY_MARGIN), 3),
            samples=report.judged_frames,
        ),
        evidence=tuple(evidence),
    )


def _form(recipe: Recipe) -> Literal["float", "qdq", "qoperator"]:
    if not recipe.is_integer:
        return "float"
    return "qoperator" if recipe.dynamic else "qdq"


def pick_frames(bench: Workbench) -> list[TensorSample]:
    """Judged frames that show something, spread over all of them; what was never calibrated on."""
    seen = [len(bench.final.decode(outputs)) for outputs in bench.final.float_outputs]
    full = [index for index, count in enumerate(seen) if count] or list(range(len(seen)))
    return [bench.final.samples[index] for index in spread(full, REFERENCE_FRAMES)]


def _pair(bench: Workbench, sample: TensorSample) -> ReferencePair:
    answers = run_reference(
        bench.network.model.SerializeToString(), {bench.card.input.name: sample.tensor_hwc[None]}, name=bench.card.name
    )
    outputs: list[NDArray[Any]] = [np.asarray(answers[output.name]) for output in bench.card.outputs]
    return ReferencePair(sample.tensor_hwc, outputs)
