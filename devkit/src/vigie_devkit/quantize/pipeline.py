"""``vigie models quantize`` step by step: frames, checks, ranges, variants, times, verdicts, bundle, report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from vigie.errors import CalibrationError, QuantizationError
from vigie.models import Bundle, Variant, load_bundle
from vigie_devkit.quantize.bundle_out import write_quantized
from vigie_devkit.quantize.calibration_checks import check_calibration, without_blank
from vigie_devkit.quantize.curve import timed_curve
from vigie_devkit.quantize.dynamic import suited
from vigie_devkit.quantize.encodings import read_encodings
from vigie_devkit.quantize.kept_work import KeptWork, work_key
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.machine import Machine, this_machine
from vigie_devkit.quantize.progress import Steps, bar, say, step_costs
from vigie_devkit.quantize.recipes import A16W8, RECIPES, U8S8_8BIT, Recipe, Target, recipes_for
from vigie_devkit.quantize.report import Report
from vigie_devkit.quantize.reporting import build_report
from vigie_devkit.quantize.request import QuantizeRequest
from vigie_devkit.quantize.samples import TensorSample, spread
from vigie_devkit.quantize.sources import read_source
from vigie_devkit.quantize.speed import Timing, time_files
from vigie_devkit.quantize.variants import Built, build
from vigie_devkit.quantize.verdict import judge_variant
from vigie_devkit.quantize.workbench import Workbench, prepare


@dataclass(frozen=True, slots=True)
class QuantizeOutcome:
    """``folder``: the bundle that was written, ``None`` if no variant pays."""

    report: Report
    folder: Path | None
    bench: Workbench
    built: tuple[Built, ...]


def quantize_bundle(request: QuantizeRequest) -> QuantizeOutcome:
    """Run everything.

    Raises: CalibrationError: the frames are no good. QuantizationError: the graph cannot be quantized, or encodings do
        not fit it. BundleError and its kin: the bundle, or the folder to write.
    """
    bundle = load_bundle(request.bundle)
    float_name, network = open_float(bundle)
    machine = this_machine()
    overrides, recipes, notes = _encodings(request, network)
    recipes, left_out = suited(recipes, network)
    machine_threads = {1, machine.threads}
    costs = step_costs(
        in_order(recipes),
        calibration=request.frames,
        judged=request.judge_frames,
        layers=len(network.layers),
        files_timed=(1 + len({recipe.name for recipe in recipes})) * request.rounds * len(machine_threads),
    )
    steps = Steps(costs)
    steps.begin("frames to calibrate and to judge on")
    calibration, judged, warnings = gather(request, bundle)
    steps.begin("the float network, which every variant is compared with")
    score_min = bundle.card.thresholds.score_min if request.score_min is None else request.score_min
    try:
        bench = prepare(
            bundle.card,
            network,
            calibration,
            judged,
            budget=request.budget,
            machine=machine,
            score_min=score_min,
            overrides=overrides,
        )
    except ValueError as error:
        raise QuantizationError(float_name, f"the float network itself fails: {error}") from error
    if not _sees_anything(bench):
        raise CalibrationError(
            ", ".join(request.calibrate),
            "the float model finds nothing on any frame, so nothing can be compared; pass frames that show its objects",
        )
    work = None
    if request.kept_work is not None:
        work = KeptWork(request.kept_work, work_key(bench, bundle.digest, score_min))
    built = _build_all(bench, recipes, request.targets, steps, work)
    steps.begin("times of all of them on this machine", last=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {float_name: Path(folder) / "float.onnx"}
        files[float_name].write_bytes(bundle.variant(float_name).read().graph)
        for one in built:
            files[one.name] = Path(folder) / f"{one.name}.onnx"
            files[one.name].write_bytes(one.content)
        times = _times(files, machine, request.rounds)
        sizes = {name: file.stat().st_size for name, file in files.items()}
        curves = {one.name: timed_curve(bench, one, Path(folder), request.rounds) for one in built if one.refusal}
    verdicts = {
        one.name: judge_variant(
            one,
            request.targets,
            machine,
            reference=bench.final.reference,
            times={threads: timing[one.name] for threads, timing in times.items()},
            float_times={threads: timing[float_name] for threads, timing in times.items()},
        )
        for one in built
    }
    report = build_report(
        request,
        bundle,
        bench,
        built,
        verdicts,
        float_name=float_name,
        times=times,
        sizes=sizes,
        curves=curves,
        warnings=[*warnings, *notes],
        left_out=left_out,
    )
    shipped = [(one, verdicts[one.name]) for one in built if verdicts[one.name].ships]
    written = None
    if shipped:
        written = write_quantized(
            request.output, bundle, float_name=float_name, shipped=shipped, bench=bench, report=report
        )
    if work is not None:
        work.forget()
    return QuantizeOutcome(report, written, bench, tuple(built))


def open_float(bundle: Bundle) -> tuple[str, Network]:
    """The fp32 variant of a bundle, by name, and its graph.

    Raises: QuantizationError: there is none, or its shapes contradict each other.
    """
    name = next((name for name, facts in bundle.card.variants.items() if facts.precision == "fp32"), None)
    if name is None:
        raise QuantizationError(
            bundle.card.name, f"it has no fp32 variant, only {', '.join(bundle.variants)}; import the float export"
        )
    try:
        network = Network(read_graph(bundle.variant(name)))
    except ValueError as error:
        raise QuantizationError(bundle.card.name, f"its graph cannot be read: {error}") from error
    if not network.layers:
        raise QuantizationError(bundle.card.name, "its graph has no layer with weights; there is nothing to quantize")
    return name, network


def read_graph(variant: Variant) -> onnx.ModelProto:
    """The verified bytes as a graph, its external data read in. Raises: BundleError, ValueError."""
    content = variant.read()
    with tempfile.TemporaryDirectory() as private:  # onnx reads external data by path only
        for name, part in {variant.card.file: content.graph, **content.external}.items():
            (Path(private) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(private) / name).write_bytes(part)
        return onnx.load(str(Path(private) / variant.card.file))


def gather(request: QuantizeRequest, bundle: Bundle) -> tuple[list[TensorSample], list[TensorSample], list[str]]:
    """Calibration frames, frames to judge on (never the same), warnings. Raises: CalibrationError."""
    calibration: list[TensorSample] = []
    judged: list[TensorSample] = []
    warnings: list[str] = []
    each = _share(request.frames, len(request.calibrate))
    held_back = 0 if request.judge else _share(request.judge_frames, len(request.calibrate))
    with bar("reading frames", len(request.calibrate) + len(request.judge)) as step:
        for source in request.calibrate:
            samples = read_source(source, bundle.card, each + held_back)
            # A short source is shared in proportion: without frames to judge on there is no verdict.
            mine, theirs = deal(samples, -(-len(samples) * each // (each + held_back)))
            calibration += mine
            judged += theirs
            step()
        for source in request.judge:
            judged += read_source(source, bundle.card, _share(request.judge_frames, len(request.judge)))
            step()
    names = ", ".join(request.calibrate)
    warnings += check_calibration(names, calibration, bundle.card)
    calibration = without_blank(calibration)
    if len(judged) < len(request.calibrate):
        raise CalibrationError(names, "leaves no frame to judge on; pass more of them, or others with --judge")
    return calibration, judged, warnings


def deal(samples: Sequence[TensorSample], count: int) -> tuple[list[TensorSample], list[TensorSample]]:
    """``count`` evenly spread ones, and the rest."""
    picked = set(spread(range(len(samples)), count))
    return (
        [sample for index, sample in enumerate(samples) if index in picked],
        [sample for index, sample in enumerate(samples) if index not in picked],
    )


def _share(total: int, parts: int) -> int:
    return max(1, -(-total // max(1, parts)))


def _sees_anything(bench: Workbench) -> bool:
    if bench.card.task == "classification":
        return True
    return any(len(bench.final.decode(outputs)) for outputs in bench.final.float_outputs)


def _encodings(
    request: QuantizeRequest, network: Network
) -> tuple[Mapping[str, list[dict[str, Any]]] | None, list[Recipe], list[str]]:
    recipes = recipes_for(request.targets)
    if request.encodings is None:
        return None, recipes, []
    encodings = read_encodings(request.encodings, network)
    # They say how wide everything is: only the recipe of that width can follow them.
    recipe = A16W8 if encodings.activation_bits(network) == 16 else U8S8_8BIT
    notes = [f"{request.encodings.name}: {len(encodings.found)} encodings taken over, recipe {recipe.name}"]
    if encodings.unknown:
        notes.append(
            f"{request.encodings.name}: {len(encodings.unknown)} tensors are not in the graph, such as "
            f"{encodings.unknown[0]!r}"
        )
    return encodings.overrides(network), [recipe], notes


def in_order(recipes: Sequence[Recipe]) -> list[Recipe]:
    """As they are built: integers first, each kind in the order of the table."""
    return sorted(recipes, key=lambda recipe: (not recipe.is_integer, RECIPES.index(recipe)))


def _build_all(
    bench: Workbench, recipes: Sequence[Recipe], targets: Sequence[Target], steps: Steps, work: KeptWork | None
) -> list[Built]:
    """In order; a second recipe of one name only where the first was refused. What an interrupted run had built is
    taken from ``work``.
    """
    done: dict[str, Built] = {}
    skipped = 0
    for recipe in in_order(recipes):
        before = done.get(recipe.name)
        if before is not None and not before.refusal:
            skipped += 1
            continue
        named = ", ".join(target for target in recipe.targets if target in targets)
        title = f"{recipe.name}{f' for {named}' if named else ''}"
        built = None if work is None else work.find(recipe, bench)
        if built is not None:
            skipped += 1
            say(f"{title}: built before the interruption")
        else:
            steps.begin(title, skipped=skipped)
            skipped = 0
            built = build(bench, recipe)
            if work is not None:
                work.keep(built, bench)
        if before is None or not built.refusal or built.score.headline > before.score.headline:
            done[recipe.name] = built
    return list(done.values())


def _times(files: Mapping[str, Path], machine: Machine, rounds: int) -> dict[int, dict[str, Timing]]:
    counts = sorted({1, machine.threads})
    with bar("timing, in child processes", len(files) * rounds * len(counts)) as step:
        return {threads: time_files(files, threads=threads, rounds=rounds, step=step) for threads in counts}
