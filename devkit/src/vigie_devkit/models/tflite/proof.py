"""Does the graph answer as LiteRT does? First each operator alone, on LiteRT's own numbers, then the whole.

Alone, rounding does not add up, so a fault of one operator shows as what it is: in floats an operator may differ by
rounding, in steps by the two or three that LiteRT's integer kernels round otherwise. As a whole, a float file may
differ by rounding; an integer one is as far off as its quantization is: only a low signal-to-noise ratio is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ModelFileError
from vigie.runtimes.engines.reference_run import open_reference
from vigie_devkit.models.tflite.answers import ask_litert
from vigie_devkit.models.tflite.convert import Converted
from vigie_devkit.models.tflite.feeds import as_floats, make_feeds
from vigie_devkit.models.tflite.flatbuffer import Network, Operator, Tensor
from vigie_devkit.models.tflite.suppression import BOXES, SCORES, Suppression

# Of the largest number of a tensor: sums of thousands of products in another order differ by a few parts in 1e6.
ALONE_MAX, WHOLE_MAX = 2e-4, 2e-3
# Of quantization. Measured: at most 2 on the integer kernels of LiteRT 2.3.0; 16-bit ones look tables up.
STEPS_MAX, STEPS_MAX_16 = 3.0, 64.0
# Weights alone in 8 bits: LiteRT rounds what they are multiplied by to 8 bits in each run.
HYBRID_MIN_DB = 20.0
SQNR_MIN_DB = 6.0
# Shares of whole numbers (places of the largest) that must be the same; where steps decide, near ties fall otherwise.
_INDEXES_MIN, _INDEXES_MIN_INTEGER = 0.99, 0.5
_WITHIN = 2e-3  # of a finished box and its score
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"})


def prove(file: Path, content: bytes, network: Network, whole: Converted, apart: Converted) -> str:
    """In words, how closely they agree. Raises: ModelFileError: they do not; which tensor, by how much."""
    feeds = make_feeds(network)
    runs, tensors = ask_litert(file, content, feeds)
    refuse = _refusal(file)
    answers = _run_apart(file, network, apart, as_floats(network, apart.planes, feeds[0]), tensors)
    worst = 0.0
    for operator in network.operators:
        for number in operator.outputs:
            if number in tensors and f"answer_{number}" in answers:
                own = answers[f"answer_{number}"]
                found = _alone(operator, network, number, (own, tensors[number]), refuse)
                worst = max(worst, found)
    if apart.suppression is not None:
        _finished(answers, apart.suppression, tensors, refuse)
    run = _opened(file, whole)
    mine = [run(dict(zip(whole.inputs, as_floats(network, whole.planes, each), strict=True))) for each in feeds]
    if whole.suppression is not None:
        pairs = {name: [(answers[name], mine[0][name])] for name in whole.outputs}
        tensor = dict.fromkeys(whole.outputs, network.tensors[whole.suppression.inputs[0]])
    else:
        tensor = {name: network.tensors[number] for name, number in zip(whole.outputs, network.outputs, strict=True)}
        pairs = {
            name: [(_real(tensor[name], runs[at][index]), own[name]) for at, own in enumerate(mine)]
            for index, name in enumerate(whole.outputs)
        }
    integer = any(one.quantized and one.data is None for one in network.tensors) or _hybrid_any(network)
    said = [_whole(name, tensor[name], pairs[name], refuse, integer=integer) for name in whole.outputs]
    unit = "steps" if integer else "of the largest number"
    return f"operators agree with LiteRT within {worst:.2g} {unit}, outputs: {', '.join(said)}"


def _refusal(file: Path) -> Callable[[str], ModelFileError]:
    return lambda why: ModelFileError(
        str(file), f"is not answered by its conversion as by LiteRT: {why}; export the model to .onnx"
    )


def _run_apart(
    file: Path, network: Network, apart: Converted, feeds: list[NDArray[Any]], tensors: Mapping[int, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    told = dict(zip(apart.inputs, feeds, strict=True))
    for number in apart.told:
        if number not in tensors:
            name = network.tensors[number].name
            raise ModelFileError(str(file), f"LiteRT keeps no numbers of '{name}', so its conversion cannot be proven")
        told[f"told_{number}"] = _real(network.tensors[number], tensors[number])
    return _opened(file, apart)(told)


def _opened(file: Path, converted: Converted) -> Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]:
    try:
        run = open_reference(converted.model.SerializeToString(), name=file.name)
    except EngineError as error:
        raise ModelFileError(str(file), f"its conversion does not run: {error.reason}") from error

    def safely(feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        try:
            return run(feeds)
        except EngineError as error:
            raise ModelFileError(str(file), f"its conversion does not run: {error.reason}") from error

    return safely


def _real(tensor: Tensor, stored: NDArray[Any]) -> NDArray[Any]:
    if tensor.quantized:
        return tensor.dequantized(stored)
    return stored.astype(np.float32) if stored.dtype.kind == "f" else stored


def _alone(
    operator: Operator,
    network: Network,
    number: int,
    answers: tuple[NDArray[Any], NDArray[Any]],
    refuse: Callable[[str], ModelFileError],
) -> float:
    """How far off one operator is, in steps or in shares of the largest number. Args: answers: ours, LiteRT's."""
    tensor = network.tensors[number]
    mine, theirs = answers[0], _real(tensor, answers[1])
    what = f"{operator.name} '{tensor.name}'"
    if mine.shape != theirs.shape:
        raise refuse(f"{what} gives {list(mine.shape)}, LiteRT {list(theirs.shape)}")
    if theirs.dtype.kind != "f":
        same = float((mine == theirs).mean()) if theirs.size else 1.0
        if same < _INDEXES_MIN:
            raise refuse(f"{what} gives {same:.0%} of LiteRT's whole numbers")
        return 0.0
    known = np.isfinite(theirs)
    if not known.any():
        return 0.0
    if tensor.quantized:
        mine = np.clip(mine, *tensor.span)
        off = float(np.abs(mine - theirs)[known].max()) / max(float(tensor.scales.min()), 1e-30)
        if not off <= (STEPS_MAX if tensor.dtype.itemsize == 1 else STEPS_MAX_16):
            raise refuse(f"{what} differs by {off:.1f} quantization steps")
        return off
    if _hybrid(operator, network):
        ratio = _sqnr_db([(theirs, mine)])
        if ratio < HYBRID_MIN_DB:
            raise refuse(f"{what} agrees to {ratio:.1f} dB only")
        return 0.0
    off = _share(theirs[known], mine[known])
    if not off <= ALONE_MAX:
        raise refuse(f"{what} differs by {off:.1e} of its largest number")
    return off


def _hybrid(operator: Operator, network: Network) -> bool:
    """Integer weights under floats."""
    weights = [network.tensors[number] for number in operator.inputs[:2] if number >= 0]
    return operator.name in _WEIGHTED and any(one.quantized and one.data is not None for one in weights)


def _hybrid_any(network: Network) -> bool:
    return any(_hybrid(operator, network) for operator in network.operators)


def _finished(
    answers: Mapping[str, NDArray[Any]],
    suppression: Suppression,
    tensors: Mapping[int, NDArray[Any]],
    refuse: Callable[[str], ModelFileError],
) -> None:
    """Each box that LiteRT leaves after suppression is one of those before, with its class and score."""
    there = [tensors.get(number) for number in suppression.outputs[:3]]
    if any(one is None for one in there):
        raise refuse("LiteRT keeps no finished boxes")
    boxes, classes, scores = (np.asarray(one, np.float32) for one in there)
    boxes, classes, scores = boxes.reshape(-1, 4), classes.reshape(-1), scores.reshape(-1)
    # Rows behind the number of boxes are not written: they hold whatever the memory held before.
    count = tensors.get(suppression.outputs[3]) if len(suppression.outputs) > 3 else None
    written = len(scores) if count is None or not np.isfinite(count).all() else int(np.asarray(count).reshape(-1)[0])
    seen = np.flatnonzero(scores[: max(written, 0)] > max(suppression.score_min, 1e-6))
    if not seen.size:
        raise refuse("LiteRT finds nothing in a drawn scene, so that its boxes cannot be compared")
    for at in seen:
        column = round(float(classes[at]))
        if not 0 <= column < suppression.classes:
            raise refuse(f"LiteRT finds class {column} of {suppression.classes}")
        apart = np.abs(answers[BOXES][0] - boxes[at][[1, 0, 3, 2]]).max(axis=1)
        apart = np.maximum(apart, np.abs(answers[SCORES][0, :, column] - scores[at]))
        if not apart.min() <= _WITHIN:
            raise refuse(
                f"its finished box number {at} is not among the decoded ones, the nearest {apart.min():.3g} off"
            )


def _whole(
    name: str,
    tensor: Tensor,
    pairs: list[tuple[NDArray[Any], NDArray[Any]]],
    refuse: Callable[[str], ModelFileError],
    *,
    integer: bool,
) -> str:
    """One output over all runs: ``name 41.2 dB``. Args: pairs: LiteRT's numbers and the graph's."""
    laid = [(theirs, _laid_as(theirs, mine)) for theirs, mine in pairs]
    for theirs, mine in laid:
        if theirs.shape != mine.shape:
            raise refuse(f"output '{name}' has the shape {list(mine.shape)}, LiteRT's {list(theirs.shape)}")
    if laid[0][0].dtype.kind != "f":
        same = float(np.mean([np.mean(theirs == mine) for theirs, mine in laid]))
        if same < (_INDEXES_MIN_INTEGER if integer else _INDEXES_MIN):
            raise refuse(f"output '{name}' gives {same:.0%} of LiteRT's whole numbers")
        return f"{name} {same:.1%} the same"
    ratio = _sqnr_db(laid)
    if integer:
        step = float(tensor.scales.min()) if tensor.quantized else 0.0
        close = all(np.abs(theirs - mine)[np.isfinite(theirs)].max(initial=0.0) <= 2 * step for theirs, mine in laid)
        if not close and ratio < SQNR_MIN_DB:
            raise refuse(f"output '{name}' agrees to {ratio:.1f} dB, {SQNR_MIN_DB:g} are needed")
        return f"{name} {ratio:.1f} dB"
    off = max(_share(theirs, mine) for theirs, mine in laid)
    if not off <= WHOLE_MAX:
        raise refuse(f"output '{name}' differs by {off:.1e} of its largest number")
    return f"{name} {off:.1e}"


def _laid_as(theirs: NDArray[Any], mine: NDArray[Any]) -> NDArray[Any]:
    """Channels last, as LiteRT gives them, where the graph gives planes."""
    if mine.ndim == 4 and mine.shape != theirs.shape:
        return mine.transpose(0, 2, 3, 1)
    return mine


def _share(theirs: NDArray[Any], mine: NDArray[Any]) -> float:
    """Of LiteRT's largest number; what is not a number there says nothing."""
    known = np.isfinite(theirs)
    if not known.any():
        return 0.0
    return float(np.abs(theirs[known] - mine[known]).max()) / max(float(np.abs(theirs[known]).max()), 1e-6)


def _sqnr_db(pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    signal = noise = 0.0
    for theirs, mine in pairs:
        known = np.isfinite(theirs)
        signal += float((theirs[known].astype(np.float64) ** 2).sum())
        noise += float(((theirs[known].astype(np.float64) - mine[known]) ** 2).sum())
    if not np.isfinite(noise):
        return float("-inf")
    return 200.0 if noise == 0 else 10 * float(np.log10(max(signal, 1e-30) / noise))
