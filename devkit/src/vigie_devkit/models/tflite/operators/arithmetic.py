"""Number by number: functions of one tensor, and of two that are stretched over each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import TO_PLANES, Graph, element_of

Convert = Callable[[Graph, Operator], None]
Body = Callable[[Graph, Operator, str], str]


def _unary(body: Body) -> Convert:
    """In the layout that the value is in."""

    def convert(graph: Graph, operator: Operator) -> None:
        planes = graph.in_planes(operator.inputs[:1])
        name = body(graph, operator, graph.value(operator.inputs[0], planes=planes))
        graph.put(operator.outputs[0], name, planes=planes)

    return convert


def _plainly(name: str, **attributes: Any) -> Convert:
    def body(graph: Graph, operator: Operator, value: str) -> str:
        del operator
        return str(graph.emit(name, [value], **attributes))

    return _unary(body)


def _clipped(low: float, high: float) -> Convert:
    def body(graph: Graph, operator: Operator, value: str) -> str:
        del operator
        return str(graph.emit("Clip", [value, graph.hold(np.float32(low)), graph.hold(np.float32(high))]))

    return _unary(body)


def _same(graph: Graph, operator: Operator) -> None:
    """QUANTIZE and DEQUANTIZE: a float graph has numbers in place of steps."""
    source, result = operator.inputs[0], operator.outputs[0]
    if graph.tensor(source).dtype.kind != "f" and not graph.tensor(source).quantized:
        raise graph.refuse(f"operator {operator.name} reads '{graph.tensor(source).name}', which has no scale; damaged")
    planes = graph.in_planes([source])
    graph.put(result, graph.emit("Identity", [graph.value(source, planes=planes)]), planes=planes)


def _cast(graph: Graph, operator: Operator, value: str) -> str:
    return str(graph.emit("Cast", [value], to=element_of(graph.tensor(operator.outputs[0]))))


def _leaky(graph: Graph, operator: Operator, value: str) -> str:
    return str(graph.emit("LeakyRelu", [value], alpha=float(operator.option("Alpha", 0.0))))


def _hard_swish(graph: Graph, operator: Operator, value: str) -> str:
    """Spelled out, since its own node is not in every engine."""
    del operator
    gate = graph.emit("HardSigmoid", [value], alpha=1.0 / 6.0, beta=0.5)
    return str(graph.emit("Mul", [value, gate]))


def _rsqrt(graph: Graph, operator: Operator, value: str) -> str:
    del operator
    return str(graph.emit("Reciprocal", [graph.emit("Sqrt", [value])]))


def _square(graph: Graph, operator: Operator, value: str) -> str:
    del operator
    return str(graph.emit("Mul", [value, value]))


def _gelu(graph: Graph, operator: Operator, value: str) -> str:
    half, one = graph.hold(np.float32(0.5)), graph.hold(np.float32(1.0))
    if operator.option("Approximate", default=False):
        cube = graph.emit("Mul", [graph.emit("Mul", [value, value]), value])
        bent = graph.emit("Add", [value, graph.emit("Mul", [cube, graph.hold(np.float32(0.044715))])])
        turned = graph.emit("Tanh", [graph.emit("Mul", [bent, graph.hold(np.float32(np.sqrt(2 / np.pi)))])])
    else:
        turned = graph.emit("Erf", [graph.emit("Mul", [value, graph.hold(np.float32(np.sqrt(0.5)))])])
    return str(graph.emit("Mul", [graph.emit("Mul", [value, half]), graph.emit("Add", [turned, one])]))


def _softmax(graph: Graph, operator: Operator) -> None:
    """Over the last axis, which is the second among planes."""
    source = operator.inputs[0]
    planes = graph.in_planes([source])
    value = graph.value(source, planes=planes)
    beta = float(operator.option("Beta", 1.0)) if operator.name == "SOFTMAX" else 1.0
    if beta != 1.0:
        value = graph.emit("Mul", [value, graph.hold(np.float32(beta))])
    kind = {"SOFTMAX": "Softmax", "LOG_SOFTMAX": "LogSoftmax"}[operator.name]
    graph.put(operator.outputs[0], graph.emit(kind, [value], axis=1 if planes else -1), planes=planes)


def _binary(name: str, *, turned: bool = False) -> Convert:
    """``turned``: ONNX has its operands the other way round."""

    def convert(graph: Graph, operator: Operator) -> None:
        names, planes = _operands(graph, operator)
        value = graph.emit(name, names[::-1] if turned else names)
        fused = (
            operator.option("FusedActivationFunction") if hasattr(operator.options, "FusedActivationFunction") else 0
        )
        graph.activate(operator.outputs[0], value, fused, planes=planes)

    return convert


def _operands(graph: Graph, operator: Operator) -> tuple[list[str], bool]:
    """All operands in one layout: planes where one is, and each of the others can be."""
    numbers = operator.inputs
    ranks = [len(graph.shape(number)) for number in numbers]
    constant = [graph.is_constant(number) for number in numbers]
    planes = graph.in_planes(numbers) and all(rank == 4 or held for rank, held in zip(ranks, constant, strict=True))
    names = []
    for number, rank, held in zip(numbers, ranks, constant, strict=True):
        if planes and held and rank != 4:
            values = graph.constant(number)
            assert values is not None  # noqa: S101  # ``held`` says so
            names.append(graph.hold(values.reshape((1,) * (4 - rank) + values.shape).transpose(TO_PLANES)))
        else:
            names.append(graph.value(number, planes=planes))
    return names, planes


def _prelu(graph: Graph, operator: Operator) -> None:
    names, planes = _operands(graph, operator)
    graph.put(operator.outputs[0], graph.emit("PRelu", names), planes=planes)


def _squared_difference(graph: Graph, operator: Operator) -> None:
    names, planes = _operands(graph, operator)
    apart = graph.emit("Sub", names)
    graph.put(operator.outputs[0], graph.emit("Mul", [apart, apart]), planes=planes)


def _select(graph: Graph, operator: Operator) -> None:
    names, planes = _operands(graph, operator)
    graph.put(operator.outputs[0], graph.emit("Where", names), planes=planes)


def _not_equal(graph: Graph, operator: Operator) -> None:
    names, planes = _operands(graph, operator)
    graph.put(operator.outputs[0], graph.emit("Not", [graph.emit("Equal", names)]), planes=planes)


OPERATORS: dict[str, Convert] = {
    "ADD": _binary("Add"),
    "SUB": _binary("Sub"),
    "MUL": _binary("Mul"),
    "DIV": _binary("Div"),
    "MAXIMUM": _binary("Max"),
    "MINIMUM": _binary("Min"),
    "POW": _binary("Pow"),
    "SQUARED_DIFFERENCE": _squared_difference,
    "PRELU": _prelu,
    "GREATER": _binary("Greater"),
    "GREATER_EQUAL": _binary("GreaterOrEqual"),
    "LESS": _binary("Less"),
    "LESS_EQUAL": _binary("LessOrEqual"),
    "EQUAL": _binary("Equal"),
    "NOT_EQUAL": _not_equal,
    "LOGICAL_AND": _binary("And"),
    "LOGICAL_OR": _binary("Or"),
    "LOGICAL_NOT": _plainly("Not"),
    "SELECT": _select,
    "SELECT_V2": _select,
    "RELU": _plainly("Relu"),
    "RELU6": _clipped(0.0, 6.0),
    "RELU_N1_TO_1": _clipped(-1.0, 1.0),
    "RELU_0_TO_1": _clipped(0.0, 1.0),
    "LEAKY_RELU": _unary(_leaky),
    "ELU": _plainly("Elu"),
    "GELU": _unary(_gelu),
    "HARD_SWISH": _unary(_hard_swish),
    "LOGISTIC": _plainly("Sigmoid"),
    "TANH": _plainly("Tanh"),
    "EXP": _plainly("Exp"),
    "LOG": _plainly("Log"),
    "ABS": _plainly("Abs"),
    "NEG": _plainly("Neg"),
    "SIN": _plainly("Sin"),
    "COS": _plainly("Cos"),
    "FLOOR": _plainly("Floor"),
    "CEIL": _plainly("Ceil"),
    "ROUND": _plainly("Round"),
    "SQRT": _plainly("Sqrt"),
    "RSQRT": _unary(_rsqrt),
    "SQUARE": _unary(_square),
    "CAST": _unary(_cast),
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": _softmax,
    "QUANTIZE": _same,
    "DEQUANTIZE": _same,
}
