"""One variant from one recipe: the calibration method, the mix, the file, and what the file is worth here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vigie.errors import QuantizationError
from vigie_devkit.quantize.clipping import Method
from vigie_devkit.quantize.dynamic import dynamic_layers, write_dynamic
from vigie_devkit.quantize.half import write_half
from vigie_devkit.quantize.judge import Score
from vigie_devkit.quantize.mix import mix_bytes
from vigie_devkit.quantize.progress import bar
from vigie_devkit.quantize.qdq import file_bytes
from vigie_devkit.quantize.recipes import Cpu, Recipe
from vigie_devkit.quantize.search import FoundMix, MixTrial, search_mix
from vigie_devkit.quantize.simulator import Simulator
from vigie_devkit.quantize.tails import layers_before
from vigie_devkit.quantize.unpaid_layers import unpaid_layers
from vigie_devkit.quantize.workbench import Workbench, file_run

# How often more layers are kept float than the search asked for, where the file loses more on the judge's frames.
RETRIES = 3
# What the last layers may hold of the multiply-adds, all together, to be the first that stay float.
LAST_LAYERS_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Built:
    """A finished file and what was found out on the way. ``refusal``: why it may not ship; empty: it may.

    ``score``: of the file, on the frames of the final judge, with this machine's kernels. ``simulated``: with exact
    integer sums, where this machine's are not. ``cpus``: where its answers hold. ``unpaid``: layers that are float
    because integers are slower.
    """

    recipe: Recipe
    name: str
    content: bytes
    score: Score
    simulated: Score | None
    float_layers: tuple[str, ...] = ()
    unpaid: tuple[str, ...] = ()
    integer_share: float = 0.0
    method: str = ""
    methods: dict[str, float] | None = None
    trials: tuple[MixTrial, ...] = ()
    cpus: tuple[Cpu, ...] = ()
    refusal: str = ""

    @property
    def true_score(self) -> Score:
        """On the CPUs that the file is for: simulated where this machine is none of them."""
        return self.score if self.simulated is None else self.simulated


def build(bench: Workbench, recipe: Recipe) -> Built:
    """Make the variant; a refusal is an answer, not an error."""
    if recipe.dynamic:
        return _dynamic(bench, recipe)
    return _integers(bench, recipe) if recipe.is_integer else _half(bench, recipe)


def _dynamic(bench: Workbench, recipe: Recipe) -> Built:
    """Nothing is calibrated or searched: what is no matrix product stays float."""
    content = file_bytes(write_dynamic(bench.network, recipe))
    chosen = set(dynamic_layers(bench.network))
    floats = tuple(layer.name for layer in bench.network.layers if layer.name not in chosen)
    built = Built(
        recipe,
        f"{recipe.name}-mixed" if floats else recipe.name,
        content,
        _judge(bench, recipe.name, content),
        None,
        float_layers=floats,
        integer_share=bench.network.integer_share(floats),
        cpus=tuple(dict.fromkeys([*recipe.exact_on, bench.machine.kind])),
    )
    return built if bench.budget.allows(bench.final.reference, built.score) else _refused(bench, built)


def _half(bench: Workbench, recipe: Recipe) -> Built:
    content = file_bytes(write_half(bench.network, bench.tail))
    score = _judge(bench, recipe.name, content)
    built = Built(recipe, recipe.name, content, score, None)
    return built if bench.budget.allows(bench.final.reference, score) else _refused(bench, built)


def _integers(bench: Workbench, recipe: Recipe) -> Built:
    method, simulator, whole, methods = bench.best_method(recipe)
    ranked = bench.sensitivity
    if not ranked or (recipe.precision == "int8" and not bench.tuning_budget.allows(bench.tuning.reference, whole)):
        # Where a mix must be searched, each recipe has an order of its own; else one is enough for the report.
        ranked = bench.rank(simulator)
        bench.sensitivity = bench.sensitivity or ranked
    order = [one.layer for one in ranked]
    unpaid = unpaid_layers(bench, recipe, method)
    with bar(f"{recipe.name}: mixes", 1) as step:
        found = search_mix(
            bench.network,
            order,
            lambda layers: bench.tuning.score(bench.simulated_run(simulator, layers)),
            bench.tuning.reference,
            bench.tuning_budget,
            at_least=unpaid,
        )
        step()
    if found.best is None:
        return _no_mix(bench, recipe, method, methods, found)
    mix = found.best.float_layers
    for _ in range(RETRIES + 1):
        built = replace(_write(bench, recipe, method, mix), methods=methods, trials=found.trials, unpaid=unpaid)
        if bench.budget.allows(bench.final.reference, built.score):
            # Sums that cannot overflow give the same answers on every such CPU; where they can, measured here counts.
            kinds = dict.fromkeys([*recipe.exact_on, bench.machine.kind])
            return replace(built, cpus=tuple(kinds) if recipe.exact_on else ())
        if recipe.exact_on and bench.machine.kind not in recipe.exact_on:
            simulated = bench.final.score(bench.simulated_run(simulator, mix))
            built = replace(built, simulated=simulated)
            if bench.budget.allows(bench.final.reference, simulated):
                return replace(built, cpus=recipe.exact_on)
        more = _more_float(bench, simulator, order, mix)
        if bench.network.integer_share(more) < 0.5 or set(more) == set(mix):
            break
        mix = more
    return _refused(bench, built)


def last_layers(bench: Workbench) -> tuple[str, ...]:
    """The layers whose outputs are the answer, where they are cheap: their rounding to 8 bits is seen in every box."""
    names = bench.tail.last_layers
    return names if bench.network.integer_share(names) >= 1.0 - LAST_LAYERS_SHARE else ()


def _more_float(bench: Workbench, simulator: Simulator, order: Sequence[str], mix: Sequence[str]) -> tuple[str, ...]:
    """The next mix: after the last layers the one before them that helps most, since its rounding is in every box too,
    where noise of one layer alone ranks it low.
    """
    last = last_layers(bench)
    before = layers_before(bench.network, last)
    if last and before and set(last) <= set(mix) and not set(before) & set(mix):

        def missing(name: str) -> float:
            score = bench.tuning.score(bench.simulated_run(simulator, (*mix, name)))
            return bench.budget.missing(bench.tuning.reference, score)

        return (*mix, min(before, key=missing))
    return more_float(order, mix, last)


def more_float(order: Sequence[str], mix: Sequence[str], last: Sequence[str]) -> tuple[str, ...]:
    """First the ``last`` layers; then twice as many others, at least two more, the most harmful first."""
    if not set(last) <= set(mix):
        return tuple(dict.fromkeys([*mix, *last]))
    rest = [name for name in order if name not in set(mix)]
    return (*mix, *rest[: max(2, len(mix) - len(last))])


def _no_mix(bench: Workbench, recipe: Recipe, method: Method, methods: dict[str, float], found: FoundMix) -> Built:
    """The best mix that was tried, written so that its size and speed can be told, and refused."""
    reference = bench.tuning.reference
    nearest = min(found.trials, key=lambda trial: bench.tuning_budget.missing(reference, trial.score))
    built = replace(
        _write(bench, recipe, method, nearest.float_layers),
        methods=methods,
        trials=found.trials,
    )
    return _refused(bench, built)


def _write(bench: Workbench, recipe: Recipe, method: Method, mix: Sequence[str]) -> Built:
    content = mix_bytes(bench, recipe, method, mix)
    return Built(
        recipe=recipe,
        name=f"{recipe.name}-mixed" if mix else recipe.name,
        content=content,
        score=_judge(bench, recipe.name, content),
        simulated=None,
        float_layers=tuple(layer.name for layer in bench.network.layers if layer.name in set(mix)),
        integer_share=bench.network.integer_share(mix),
        method=method,
    )


def _judge(bench: Workbench, name: str, content: bytes) -> Score:
    try:
        run = file_run(content, bench.card, bench.machine.threads)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise QuantizationError(name, f"ONNX Runtime does not load what was written: {str(error)[:200]}") from error
    with bar(f"{name}: judged", len(bench.final.samples)) as step:
        return bench.final.score(run, step)


def _refused(bench: Workbench, built: Built) -> Built:
    reference, score = bench.final.reference, built.score
    if not score.labelled:
        reason = f"{score.metric} {score.headline:.3f} with fp32, {bench.budget.min_agreement:g} is asked for"
    else:
        name, lost = bench.budget.most_lost(reference, score)
        had = reference.figures.get(name, reference.headline)
        reason = (
            f"{name} {100 * (had - lost):.1f} against {100 * had:.1f} of fp32, "
            f"{bench.budget.max_drop:g} points may be lost"
        )
    return replace(built, refusal=reason)
