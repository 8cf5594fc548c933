"""A network of a .tflite file as an ONNX graph in floats, whole, or with each operator apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vigie.errors import EngineError
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.models.tflite.flatbuffer import BROKEN, Network, Operator
from vigie_devkit.models.tflite.graph import TO_PLANES, Graph, element_of, elements
from vigie_devkit.models.tflite.operators import OPERATORS
from vigie_devkit.models.tflite.suppression import BOXES, NAME, SCORES, Suppression, place_boxes, read_suppression

_EXPORT = "export the model to .onnx"
# What is computed of constants becomes one: half-precision weights, and shapes that Keras computes.
_FOLDED = frozenset({"DEQUANTIZE", "QUANTIZE", "CAST", "RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE"})
_FOLDED_SMALL = frozenset(
    {"PACK", "UNPACK", "STRIDED_SLICE", "SLICE", "CONCATENATION", "GATHER", "SPLIT", "ADD", "SUB", "MUL", "DIV"}
)
_SMALL = 1024
_Output = tuple[str, str, int, tuple[int, ...]]  # its name, its value's, element type, shape


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """``planes``: of each input, whether it is channels first here.

    ``outputs``: the file's tensors in the order of the graph's outputs, or boxes and scores where ``suppression`` was
    cut. ``answers`` and ``told``: of a graph whose operators are apart, the tensors that it gives and is told.
    """

    model: onnx.ModelProto
    inputs: tuple[str, ...]
    planes: tuple[bool, ...]
    outputs: tuple[str, ...]
    suppression: Suppression | None
    answers: tuple[int, ...]
    told: tuple[int, ...]


def convert(file: Path, network: Network, *, apart: bool = False) -> Converted:
    """Raises: ModelFileError: an operator that is not read, by its name, or one whose facts contradict each other."""
    graph = Graph(file, network, apart=apart)
    names = _names(network)
    for number in network.inputs:
        graph.source(number, names[number])
    planes = tuple(graph.in_planes([number]) for number in network.inputs)
    suppression = None
    outputs: list[_Output] = []
    for operator in network.operators:
        if operator.name == NAME:
            suppression, outputs = _cut(graph, operator)
        else:
            _convert_one(graph, operator)
    if suppression is None and not apart:
        outputs = [_output(graph, number, names[number]) for number in network.outputs]
    model = graph.finish(outputs, producer=f"tflite {network.description}".strip())
    return Converted(
        model,
        tuple(names[number] for number in network.inputs),
        planes,
        tuple(one[0] for one in outputs),
        suppression,
        tuple(graph.answers),
        tuple(graph.told),
    )


def _cut(graph: Graph, operator: Operator) -> tuple[Suppression, list[_Output]]:
    suppression = read_suppression(graph, operator)
    _check_last(graph, operator)
    try:
        boxes, scores, count = place_boxes(graph, operator, suppression)
    except (*BROKEN, ArithmeticError) as error:
        raise graph.refuse(f"operator {NAME} contradicts its own inputs or options; damaged") from error
    kind = onnx.TensorProto.FLOAT
    return suppression, [(BOXES, boxes, kind, (1, count, 4)), (SCORES, scores, kind, (1, count, suppression.classes))]


def _convert_one(graph: Graph, operator: Operator) -> None:
    rule = OPERATORS.get(operator.name)
    if rule is None:
        raise graph.refuse(f"operator {operator.name} is not read; {_EXPORT}")
    if not operator.outputs:
        raise graph.refuse(f"operator {operator.name} has no output; the file is damaged")
    try:
        if _is_constant(graph, operator):
            _fold(graph, operator)
        else:
            rule(graph, operator)
    except (*BROKEN, ArithmeticError, AssertionError) as error:
        # A rule takes what the operator's definition promises; the file has fewer inputs, axes or options.
        raise graph.refuse(f"operator {operator.name} contradicts its own inputs or options; damaged") from error


def _is_constant(graph: Graph, operator: Operator) -> bool:
    read = [number for number in operator.inputs if number >= 0]
    if not read or not all(graph.is_constant(number) for number in read):
        return False
    small = all(elements(graph.shape(number)) <= _SMALL for number in read)
    return operator.name in _FOLDED or (small and operator.name in _FOLDED_SMALL)


def _fold(graph: Graph, operator: Operator) -> None:
    alone = graph.beside()
    OPERATORS[operator.name](alone, operator)
    outputs = [
        (f"folded_{number}", alone.plain(number), element_of(graph.tensor(number)), graph.shape(number))
        for number in operator.outputs
    ]
    model = alone.finish(outputs, producer="")
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    try:
        found: dict[str, NDArray[Any]] = run_reference(model.SerializeToString(), {}, name=operator.name)
    except EngineError as error:
        raise ValueError(error.reason) from error
    for number in operator.outputs:
        graph.fold(number, np.asarray(found[f"folded_{number}"]))


def _output(graph: Graph, number: int, name: str) -> _Output:
    """Maps are channels first where they were computed so, as other exports have them."""
    shape, planes = graph.shape(number), graph.in_planes([number])
    shape = tuple(shape[axis] for axis in TO_PLANES) if planes else shape
    return name, graph.value(number, planes=planes), element_of(graph.tensor(number)), shape


def _names(network: Network) -> dict[int, str]:
    """A name of its own for each input and output, as the file has it where it can be."""
    names: dict[int, str] = {}
    for number in (*network.inputs, *network.outputs):
        told = network.tensors[number].name or "tensor"
        names[number] = told if told not in names.values() else f"{told}#{number}"
    return names


def _check_last(graph: Graph, operator: Operator) -> None:
    """Nothing may read what it gives, and all outputs are its own."""
    network = graph.network
    read = {number for one in network.operators for number in one.inputs}
    if read & set(operator.outputs) or not set(network.outputs) <= set(operator.outputs):
        raise graph.refuse(f"its outputs are not those of {NAME} alone, which is not read; {_EXPORT}")
