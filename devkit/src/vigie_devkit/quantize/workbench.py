"""What every variant of a run is made from: the float network, the frames, what its tensors held, the judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigie.models import Card
from vigie_devkit.quantize.clipping import METHODS, Method, clip_range
from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.histograms import Histogram
from vigie_devkit.quantize.judge import Budget, Judge, Run, Score
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.machine import Machine
from vigie_devkit.quantize.pixels import PIXEL_RANGE, pixel_tensors
from vigie_devkit.quantize.progress import bar
from vigie_devkit.quantize.qdq import write_qdq
from vigie_devkit.quantize.ranges import observe, open_session
from vigie_devkit.quantize.recipes import Recipe
from vigie_devkit.quantize.samples import TensorSample, spread
from vigie_devkit.quantize.sensitivity import Sensitivity, rank_layers
from vigie_devkit.quantize.simulator import Simulator
from vigie_devkit.quantize.tails import Tail, find_tail

# Frames that every layer is tried on alone; noise adds up over all cells of a frame, so few say enough.
SENSITIVITY_FRAMES = 2


class Calibrated(NamedTuple):
    """A calibration method, the network quantized by it, its ``score``; ``scores``: the headline of every method."""

    method: Method
    simulator: Simulator
    score: Score
    scores: dict[str, float]


@dataclass(slots=True)
class Workbench:
    """``tuning``: the judge on calibration frames, which the search asks; ``final``: the one on frames that nothing was
    chosen by. ``overrides``: another tool's encodings.
    """

    card: Card
    network: Network
    tail: Tail
    histograms: Mapping[str, Histogram]
    calibration: Sequence[TensorSample]
    tuning: Judge
    final: Judge
    budget: Budget
    machine: Machine
    overrides: Mapping[str, list[dict[str, Any]]] | None = None
    sensitivity: list[Sensitivity] = field(default_factory=list)
    _ranges: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def ranges(self, method: Method) -> dict[str, tuple[float, float]]:
        """(low, high) of every tensor; made once a method."""
        if method not in self._ranges:
            clipped = {name: clip_range(one, method) for name, one in self.histograms.items()}
            known = dict.fromkeys(pixel_tensors(self.network) & set(clipped), PIXEL_RANGE)
            self._ranges[method] = clipped | known
        return self._ranges[method]

    def simulator(self, recipe: Recipe, method: Method) -> Simulator:
        quantized = write_qdq(
            self.network,
            recipe,
            self.ranges(method),
            self.kept(()),
            overrides=self.overrides,
            keep_activations=True,
        )
        return Simulator(self.network, quantized, threads=self.machine.threads)

    @property
    def tuning_budget(self) -> Budget:
        """What the search is held to: the budget, and two objects of the calibration frames. The final judge, with more
        frames, is held to the budget itself.
        """
        return self.budget.widened(200.0 * self.tuning.resolution)

    def kept(self, float_layers: Sequence[str]) -> set[str]:
        return float_nodes(self.network, self.tail, float_layers)

    def simulated_run(self, simulator: Simulator, float_layers: Sequence[str]) -> Run:
        flags = simulator.flags(self.kept(float_layers))
        return lambda tensor: simulator.run(tensor, flags)

    def best_method(self, recipe: Recipe) -> Calibrated:
        """The calibration method whose fully quantized network scores best, and every method's score.

        16 bits hold the whole range: there clipping can only lose.
        """
        methods: tuple[Method, ...] = ("minmax",) if recipe.activations == "u16" or self.overrides else METHODS
        best: tuple[float, float, Method, Simulator, Score] | None = None
        scores: dict[str, float] = {}
        with bar(f"{recipe.name}: calibration methods", len(methods)) as step:
            for method in methods:
                simulator = self.simulator(recipe, method)
                run = self.simulated_run(simulator, ())
                score = self.tuning.score(run)
                scores[method] = round(score.headline, 4)
                # A labelled measure over few frames may rise by chance: what counts is to answer as fp32 does, and of
                # two methods that are alike in this the quieter network. Alike is to a thousandth: what clips the rare
                # large value is quieter over whole pictures and loses small objects.
                rank = round(score.agreement, 3), -self._noise(run)
                if best is None or rank > best[:2]:
                    best = (*rank, method, simulator, score)
                step()
        if best is None:
            raise AssertionError("a recipe without a method")
        return Calibrated(best[2], best[3], best[4], scores)

    def rank(self, simulator: Simulator) -> list[Sensitivity]:
        """Every layer's own harm, the worst first."""
        picked = self._picked()
        with bar("sensitivity of each layer", len(self.network.layers)) as step:
            return rank_layers(
                self.network,
                self.tail,
                simulator,
                [self.tuning.samples[index] for index in picked],
                [self.tuning.float_outputs[index] for index in picked],
                step=step,
            )

    def _noise(self, run: Run) -> float:
        noise = 0.0
        for index in self._picked():
            for wanted, had in zip(
                self.tuning.float_outputs[index], run(self.tuning.samples[index].tensor_hwc), strict=True
            ):
                power = float(np.square(wanted.astype(np.float64)).mean())
                if wanted.shape == had.shape and power > 0:
                    noise += float(np.square(wanted.astype(np.float64) - had).mean()) / power
        return noise

    def _picked(self) -> list[int]:
        return spread(range(len(self.tuning.samples)), SENSITIVITY_FRAMES)


def prepare(
    card: Card,
    network: Network,
    calibration: Sequence[TensorSample],
    judged: Sequence[TensorSample],
    *,
    budget: Budget,
    machine: Machine,
    score_min: float,
    overrides: Mapping[str, list[dict[str, Any]]] | None = None,
) -> Workbench:
    """Run the float network over all frames: ranges from the one part, reference answers of both.

    Raises: ValueError: the float network gives NaN or infinity on a frame.
    """
    with bar("observing the float network", len(calibration)) as step:
        histograms = observe(network, (sample.tensor_hwc for sample in calibration), threads=machine.threads, step=step)
    run = file_run(network.model.SerializeToString(), card, machine.threads)
    with bar("answers of the float network", len(calibration) + len(judged)) as step:
        tuning = Judge(card, calibration, run, score_min=score_min, step=step)
        final = Judge(card, judged, run, score_min=score_min, step=step)
    return Workbench(
        card, network, find_tail(network), histograms, calibration, tuning, final, budget, machine, overrides
    )


def file_run(
    content: bytes, card: Card, threads: int, *, kernels: bool = True
) -> Callable[[NDArray[np.uint8]], list[NDArray[Any]]]:
    """What the finished file answers; outputs in the card's order.

    Args: kernels: with this machine's integer kernels; without them sums are made in float, which is exact.
    """
    session = open_session(content, threads=threads, fused=kernels)
    names = [output.name for output in card.outputs]

    def run(tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = session.run(names, {card.input.name: tensor_hwc[None]})
        return outputs

    return run
