"""One operator of TensorFlow Lite as a .tflite file, in floats and in 8 bits; and small networks of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from flatbuffers import flexbuffers

from support.tflite_models import Writer

SHAPE = (1, 8, 6, 3)
Array = np.ndarray[Any, Any]
KINDS = schema.TensorType
_IN_SCALE, _IN_ZERO = 1 / 64, -7
_FORMS = {np.dtype(np.float32): KINDS.FLOAT32, np.dtype(np.int32): KINDS.INT32, np.dtype(np.int64): KINDS.INT64}


@dataclass(frozen=True)
class Case:
    """``after``: constants behind the source, ``before``: in front of it. ``shapes``: of the results.

    ``steps``: how an int8 result counts: ``own`` scale, the source's (``same``), a fixed (scale, zero), or ``None``
    where the operator is not tried in 8 bits. ``axis``: of the scales of weights, where they have one per channel.
    """

    code: str
    after: tuple[Array, ...] = ()
    before: tuple[Array, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = (SHAPE,)
    source: tuple[int, ...] = SHAPE
    version: int = 1
    options: tuple[str, dict[str, Any]] | None = None
    steps: Any = None
    axis: int | None = None
    twice: bool = False
    kind: int = KINDS.FLOAT32


def as_file(case: Case, *, turned: bool = False, spans: list[tuple[float, float]] | None = None) -> bytes:
    """``turned``: a reshape that changes nothing before the operator. ``spans``: of the results, for 8 bits."""
    writer, int8 = Writer(), spans is not None
    kind = KINDS.INT8 if int8 else KINDS.FLOAT32
    steps: dict[str, Any] = {"scales": _IN_SCALE, "zero": _IN_ZERO} if int8 else {}
    source = first = writer.tensor("source", case.source, kind, **steps)
    if turned:
        shape = writer.tensor("shape", (len(case.source),), KINDS.INT32, data=np.array(case.source, np.int32))
        source = writer.tensor("reshaped", case.source, kind, **steps)
        writer.operator(schema.BuiltinOperator.RESHAPE, 1, [first, shape], [source])
    before, after = (
        [_constant(writer, case, f"{name}{at}", one, at, int8=int8) for at, one in enumerate(held)]
        for name, held in (("before", case.before), ("after", case.after))
    )
    results = []
    for at, shape in enumerate(case.shapes):
        counted = _steps(case, spans[at], steps) if spans is not None else {}
        results.append(writer.tensor(f"result{at}", shape, kind if int8 else case.kind, **counted))
    inputs = [*before, source, *([source] if case.twice else []), *after]
    code = getattr(schema.BuiltinOperator, case.code)
    if case.options is None:
        writer.operator(code, case.version, inputs, results)
    else:
        name, fields = case.options
        options = getattr(schema, f"{name}T")()
        for key, value in fields.items():
            setattr(options, key, value)
        writer.operator(code, case.version, inputs, results, options, getattr(schema.BuiltinOptions, name))
    return writer.finish([first], results)


def _constant(writer: Writer, case: Case, name: str, values: Array, at: int, *, int8: bool) -> int:
    if values.dtype != np.float32 or not int8:
        return writer.tensor(name, values.shape, _FORMS[values.dtype], data=values)
    if case.axis is not None and values.ndim == 1:  # a bias: in the product of both scales
        scales = np.abs(case.after[0] if case.after else case.before[-1]).max(
            axis=tuple(axis for axis in range(4 if case.code != "FULLY_CONNECTED" else 2) if axis != case.axis)
        ) / 127 * _IN_SCALE  # fmt: skip
        return writer.tensor(
            name, values.shape, KINDS.INT32, data=np.rint(values / scales).astype(np.int32), scales=scales
        )
    if case.axis is not None:
        others = tuple(axis for axis in range(values.ndim) if axis != case.axis)
        scales = np.abs(values).max(axis=others) / 127
        shaped = scales.reshape([-1 if axis == case.axis else 1 for axis in range(values.ndim)])
        stored = np.rint(values / shaped).astype(np.int8)
        return writer.tensor(name, values.shape, KINDS.INT8, data=stored, scales=scales, axis=case.axis)
    scale = float(max(np.abs(values).max(), 1e-3)) / 127
    return writer.tensor(name, values.shape, KINDS.INT8, data=np.rint(values / scale).astype(np.int8), scales=scale)


def _steps(case: Case, span: tuple[float, float], same: dict[str, Any]) -> dict[str, Any]:
    if case.steps == "same":
        return same
    if case.steps != "own":
        return {"scales": case.steps[0], "zero": case.steps[1]}
    least, most = min(span[0], 0.0), max(span[1], 1e-3)
    scale = (most - least) / 255
    return {"scales": scale, "zero": int(np.clip(-128 - round(least / scale), -128, 127))}


def run_litert(content: bytes, feed: Array) -> list[Array]:
    """Numbers as they mean: steps are dequantized."""
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    interpreter.set_tensor(source["index"], feed)
    interpreter.invoke()
    found = []
    for one in interpreter.get_output_details():
        values, (scale, zero) = interpreter.get_tensor(one["index"]), one["quantization"]
        found.append((values.astype(np.float32) - zero) * scale if scale else values)
    return found


def feed_of(case: Case, *, int8: bool = False) -> Array:
    rng = np.random.default_rng(3)
    if int8:
        return rng.integers(-128, 128, case.source, np.int8)
    return rng.uniform(-2, 2, case.source).astype(np.float32)


def ssd(*, classes: int = 3, int8: bool = False, score_min: float = 1e-8, options: bytes | None = None) -> bytes:
    """(1, 64, 64, 3) to the four outputs of TFLite_Detection_PostProcess: a box and scores of each 8 x 8 cell."""
    writer, built, side = Writer(), schema.BuiltinOperator, 8
    rng = np.random.default_rng(5)
    fed: dict[str, Any] = {"scales": 2 / 255, "zero": -1} if int8 else {}
    source = writer.tensor(
        "normalized_input_image_tensor", (1, 64, 64, 3), KINDS.INT8 if int8 else KINDS.FLOAT32, **fed
    )
    picture = source
    if int8:
        picture = writer.tensor("picture", (1, 64, 64, 3), KINDS.FLOAT32)
        writer.operator(built.DEQUANTIZE, 2, [source], [picture])
    rows = []
    for name, columns in (("boxes", 4), ("scores", classes + 1)):
        kernel = (rng.normal(0, 4, (columns, 8, 8, 3)) / 64).astype(np.float32)
        drawn = writer.convolution(name, picture, kernel, np.zeros(columns, np.float32), int8=False)
        flat = [1, side * side, columns]
        shape = writer.tensor(f"{name}/shape", (3,), KINDS.INT32, data=np.array(flat, np.int32))
        rows.append(writer.tensor(f"{name}/rows", tuple(flat), KINDS.FLOAT32))
        writer.operator(built.RESHAPE, 1, [drawn, shape], [rows[-1]])
    scores = writer.tensor("convert_scores", (1, side * side, classes + 1), KINDS.FLOAT32)
    writer.operator(built.LOGISTIC, 1, [rows[1]], [scores])
    y, x = ((np.mgrid[:side, :side] + 0.5) / side).reshape(2, -1)
    placed = np.stack([y, x, np.full_like(y, 0.2), np.full_like(y, 0.3)], axis=1).astype(np.float32)
    anchors = writer.tensor("anchors", placed.shape, KINDS.FLOAT32, data=placed)
    results = [
        writer.tensor(f"TFLite_Detection_PostProcess{end}", shape, KINDS.FLOAT32)
        for end, shape in (("", (1, 10, 4)), (":1", (1, 10)), (":2", (1, 10)), (":3", (1,)))
    ]
    told = _suppressing(classes, score_min) if options is None else options
    writer.custom("TFLite_Detection_PostProcess", [rows[0], scores, anchors], results, told)
    return writer.finish([source], results)


def _suppressing(classes: int, score_min: float) -> bytes:
    numbers: dict[str, Any] = {
        "max_detections": 10, "max_classes_per_detection": 1, "num_classes": classes, "nms_score_threshold": score_min,
        "nms_iou_threshold": 0.6, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
    }  # fmt: skip
    return bytes(flexbuffers.Dumps(numbers))


@dataclass
class Chain:
    """A network that goes on from ``at``; shapes as TensorFlow's own tools write them."""

    writer: Writer = field(default_factory=Writer)

    def classifier(self, *, classes: int = 4, weights_only: bool = False) -> bytes:
        writer, built = self.writer, schema.BuiltinOperator
        rng = np.random.default_rng(9)
        source = writer.tensor("serving_default_input_1:0", (1, 64, 64, 3), KINDS.FLOAT32)
        kernel = (rng.normal(0, 1, (16, 8, 8, 3)) / 8).astype(np.float32)
        drawn = writer.convolution(
            "conv", source, kernel, np.zeros(16, np.float32), int8=False, weights_only=weights_only
        )
        positive = writer.tensor("relu", (1, 8, 8, 16), KINDS.FLOAT32)
        writer.operator(built.RELU, 1, [drawn], [positive])
        axes = writer.tensor("axes", (2,), KINDS.INT32, data=np.array([1, 2], np.int32))
        mean = writer.tensor("mean", (1, 16), KINDS.FLOAT32)
        writer.operator(
            built.MEAN, 1, [positive, axes], [mean], schema.ReducerOptionsT(), schema.BuiltinOptions.ReducerOptions
        )
        matrix = rng.normal(0, 1, (classes, 16)).astype(np.float32)
        dense = writer.tensor("dense/w", matrix.shape, KINDS.FLOAT32, data=matrix)
        bias = writer.tensor("dense/b", (classes,), KINDS.FLOAT32, data=np.zeros(classes, np.float32))
        logits = writer.tensor("logits", (1, classes), KINDS.FLOAT32)
        writer.operator(
            built.FULLY_CONNECTED, 1, [mean, dense, bias], [logits],
            schema.FullyConnectedOptionsT(), schema.BuiltinOptions.FullyConnectedOptions,
        )  # fmt: skip
        result = writer.tensor("StatefulPartitionedCall:0", (1, classes), KINDS.FLOAT32)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        writer.operator(built.SOFTMAX, 1, [logits], [result], options, schema.BuiltinOptions.SoftmaxOptions)
        return writer.finish([source], [result])
