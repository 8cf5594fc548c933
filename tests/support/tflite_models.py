"""A detector twice, as ONNX and as .tflite, with the same weights: two convolutions, boxes and scores of each cell.

The .tflite file is written with the schema that LiteRT's own wheel brings; no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

CLASSES = ("bolt", "nut", "washer")
SIDE = 64
STRIDES = (8, 16, 32)
CELLS = sum((SIDE // stride) ** 2 for stride in STRIDES)
_PICTURE_SCALE = 1 / 255

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weights:
    """By stride: (out, 3, stride, stride) for RGB in 0..1, and biases; boxes in pixels, scores before the sigmoid."""

    boxes: dict[int, tuple[Array, Array]]
    scores: dict[int, tuple[Array, Array]]

    @classmethod
    def drawn(cls, seed: int = 11) -> Weights:
        rng = np.random.default_rng(seed)
        tint = np.array([1.0, -0.6, -0.4]).reshape(1, 3, 1, 1)  # what tells red from blue
        taste = np.array([1.0, -1.0, 0.5]).reshape(3, 1, 1, 1)
        boxes, scores = {}, {}
        for stride in STRIDES:
            size = (3, stride, stride)
            boxes[stride] = (
                rng.normal(0, 6 / stride**2, (4, *size)).astype(np.float32),
                np.zeros(4, np.float32),
            )
            drawn = (rng.normal(0, 1, (len(CLASSES), *size)) + 6 * tint * taste) / stride**2
            scores[stride] = (drawn.astype(np.float32), np.array([0.2, 0.1, 0.0], np.float32))
        return cls(boxes, scores)


def _cells() -> Array:
    """(CELLS, 4): the box that a cell gives before it has seen anything."""
    rows = []
    for stride in STRIDES:
        y, x = np.mgrid[: SIDE // stride, : SIDE // stride] * stride + stride / 2
        side = np.full_like(x, 1.5 * stride)
        rows.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def as_onnx(weights: Weights) -> onnx.ModelProto:
    """YOLOv8's layout: (1, 4 + classes, cells) of RGB planes in 0..1."""
    held: dict[str, Array] = {"cells": _cells().T[None].copy()}
    nodes, boxes, scores = [], [], []
    for stride in STRIDES:
        for kind, (kernel, bias), rows in (("b", weights.boxes[stride], boxes), ("s", weights.scores[stride], scores)):
            name = f"{kind}{stride}"
            held |= {f"{name}_w": kernel, f"{name}_b": bias, f"{name}_shape": np.array([1, len(kernel), -1], np.int64)}
            nodes.append(
                helper.make_node(
                    "Conv", ["images", f"{name}_w", f"{name}_b"], [f"{name}_c"],
                    kernel_shape=[stride] * 2, strides=[stride] * 2,
                )
            )  # fmt: skip
            nodes.append(helper.make_node("Reshape", [f"{name}_c", f"{name}_shape"], [f"{name}_r"]))
            rows.append(f"{name}_r")
    nodes += [
        helper.make_node("Concat", boxes, ["moved"], axis=2),
        helper.make_node("Add", ["moved", "cells"], ["boxes"]),
        helper.make_node("Concat", scores, ["raw"], axis=2),
        helper.make_node("Sigmoid", ["raw"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "twin",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + len(CLASSES), CELLS])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@dataclass
class Writer:
    """One subgraph; a tensor is its number."""

    model: Any = field(default_factory=schema.ModelT)
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: int,
        *,
        data: Any = None,
        scales: Any = None,
        zero: int = 0,
        axis: int = 0,
    ) -> int:
        one = schema.TensorT()
        one.name, one.shape, one.type, one.buffer = name.encode(), list(shape), kind, 0
        if data is not None:
            held = schema.BufferT()
            held.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(held)
            one.buffer = len(self.buffers) - 1
        if scales is not None:
            one.quantization = schema.QuantizationParametersT()
            one.quantization.scale = np.atleast_1d(np.asarray(scales, np.float32))
            one.quantization.zeroPoint = np.full(len(one.quantization.scale), zero, np.int64)
            one.quantization.quantizedDimension = axis
        self.tensors.append(one)
        return len(self.tensors) - 1

    def custom(self, name: str, inputs: list[int], outputs: list[int], options: bytes) -> None:
        self.operator(schema.BuiltinOperator.CUSTOM, 1, inputs, outputs)
        self.codes[-1].customCode = name.encode()
        self.operators[-1].customOptions = np.frombuffer(options, np.uint8)

    def operator(
        self, code: int, version: int, inputs: list[int], outputs: list[int], options: Any = None, kind: int = 0
    ) -> None:
        named = schema.OperatorCodeT()
        named.builtinCode, named.deprecatedBuiltinCode = code, min(code, 127)
        named.version = version
        self.codes.append(named)
        one = schema.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs = len(self.codes) - 1, inputs, outputs
        if options is not None:
            one.builtinOptions, one.builtinOptionsType = options, kind
        self.operators.append(one)

    def convolution(
        self, name: str, source: int, kernel_ohwi: Any, bias: Any, *, int8: bool, weights_only: bool = False
    ) -> int:
        """A float tensor (1, side, side, out), whatever it was computed in."""
        kinds, built = schema.TensorType, schema.BuiltinOperator
        outs, stride = kernel_ohwi.shape[:2]
        kind = schema.BuiltinOptions.Conv2DOptions
        shape = (1, SIDE // stride, SIDE // stride, outs)
        result = self.tensor(f"{name}/conv", shape, kinds.FLOAT32)
        if not (int8 or weights_only):
            held = self.tensor(f"{name}/w", kernel_ohwi.shape, kinds.FLOAT32, data=kernel_ohwi.astype(np.float32))
            added = self.tensor(f"{name}/b", (outs,), kinds.FLOAT32, data=bias.astype(np.float32))
            self.operator(
                built.CONV_2D,
                1,
                [source, held, added],
                [result],
                _convolution(stride),
                schema.BuiltinOptions.Conv2DOptions,
            )
            return result
        scales = np.abs(kernel_ohwi).max(axis=(1, 2, 3)) / 127
        steps = np.rint(kernel_ohwi / scales[:, None, None, None]).astype(np.int8)
        held = self.tensor(f"{name}/w", steps.shape, kinds.INT8, data=steps, scales=scales)
        if weights_only:
            added = self.tensor(f"{name}/b", (outs,), kinds.FLOAT32, data=bias.astype(np.float32))
            self.operator(built.CONV_2D, 5, [source, held, added], [result], _convolution(stride), kind)
            return result
        summed = np.rint(bias / (scales * _PICTURE_SCALE)).astype(np.int32)
        added = self.tensor(f"{name}/b", (outs,), kinds.INT32, data=summed, scales=scales * _PICTURE_SCALE)
        # No picture in 0..1 can take it further than its positive, or its negative, weights.
        parts = [np.clip(side * kernel_ohwi, 0, None).sum(axis=(1, 2, 3)).max() for side in (1, -1)]
        reach = float(np.abs(bias).max() + max(parts))
        stored = self.tensor(f"{name}/stored", shape, kinds.INT8, scales=reach / 127, zero=0)
        self.operator(built.CONV_2D, 3, [source, held, added], [stored], _convolution(stride), kind)
        self.operator(built.DEQUANTIZE, 2, [stored], [result])
        return result

    def joined(self, name: str, parts: list[int], shape: tuple[int, ...], *, axis: int) -> int:
        result = self.tensor(name, shape, schema.TensorType.FLOAT32)
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        kind = schema.BuiltinOptions.ConcatenationOptions
        self.operator(schema.BuiltinOperator.CONCATENATION, 1, parts, [result], options, kind)
        return result

    def finish(self, sources: list[int], results: list[int]) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, sources, results
        self.model.version, self.model.subgraphs = 3, [graph]
        self.model.operatorCodes, self.model.buffers = self.codes, self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def as_tflite(
    weights: Weights,
    *,
    channels: str = "rgb",
    unit_boxes: bool = False,
    int8: bool = False,
    weights_only: bool = False,
    int8_out: bool = False,
) -> bytes:
    """(1, cells, 4 + classes) of a picture in 0..1, as converters leave it: channels last, rows and columns turned.

    ``int8``: the input and both convolutions are in 8 bits, and their answers are dequantized. ``weights_only``: the
    weights are in 8 bits, and everything that is computed is float. ``int8_out``: the answer is in 8 bits, which asks
    for ``unit_boxes``.
    """
    kinds, built = schema.TensorType, schema.BuiltinOperator
    writer = Writer()
    fed: dict[str, Any] = {"scales": _PICTURE_SCALE, "zero": -128} if int8 else {}
    source = writer.tensor("serving_default_images:0", (1, SIDE, SIDE, 3), kinds.INT8 if int8 else kinds.FLOAT32, **fed)
    share = SIDE if unit_boxes else 1
    rows: dict[str, list[int]] = {"boxes": [], "scores": []}
    for stride in STRIDES:
        for name, (kernel, bias) in (("boxes", weights.boxes[stride]), ("scores", weights.scores[stride])):
            by = share if name == "boxes" else 1
            turned = kernel.transpose(0, 2, 3, 1) / by  # OHWI
            turned = turned if channels == "rgb" else turned[..., ::-1]
            drawn = writer.convolution(
                f"{name}{stride}", source, turned, bias / by, int8=int8, weights_only=weights_only
            )
            flat = [1, (SIDE // stride) ** 2, len(kernel)]
            shape = writer.tensor(f"{name}{stride}/shape", (3,), kinds.INT32, data=np.array(flat, np.int32))
            reshaped = writer.tensor(f"{name}{stride}/rows", tuple(flat), kinds.FLOAT32)
            options = schema.ReshapeOptionsT()
            options.newShape = flat
            writer.operator(built.RESHAPE, 1, [drawn, shape], [reshaped], options, schema.BuiltinOptions.ReshapeOptions)
            rows[name].append(reshaped)
    moved = writer.joined("moved", rows["boxes"], (1, CELLS, 4), axis=1)
    cells = writer.tensor("cells", (1, CELLS, 4), kinds.FLOAT32, data=_cells() / share)
    boxes = writer.tensor("boxes", (1, CELLS, 4), kinds.FLOAT32)
    writer.operator(built.ADD, 1, [moved, cells], [boxes], schema.AddOptionsT(), schema.BuiltinOptions.AddOptions)
    raw = writer.joined("raw", rows["scores"], (1, CELLS, len(CLASSES)), axis=1)
    scores = writer.tensor("scores", (1, CELLS, len(CLASSES)), kinds.FLOAT32)
    writer.operator(built.LOGISTIC, 1, [raw], [scores])
    result = writer.joined("StatefulPartitionedCall:0", [boxes, scores], (1, CELLS, 4 + len(CLASSES)), axis=2)
    if int8_out:
        shares = writer.tensor("Identity", (1, CELLS, 4 + len(CLASSES)), kinds.INT8, scales=1 / 128, zero=-100)
        writer.operator(built.QUANTIZE, 1, [result], [shares])
        result = shares
    return writer.finish([source], [result])


def _convolution(stride: int) -> Any:
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = stride
    options.dilationHFactor = options.dilationWFactor = 1
    return options
