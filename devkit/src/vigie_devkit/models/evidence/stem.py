"""The first layers of a graph: what they do to the picture before the first weights, and how large those weights are.

A network sees its first layer's sums, and training keeps those near 1. So weights meant for pixels of 0..255 are a
hundredth of those meant for 0..1: the *gain*, the typical length (L2) of a filter times what the graph itself has
multiplied the pixels by, tells the two apart without running anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

# Below: made for 0..255. Above: for 0..1 or centred on 0. Between them nothing is concluded. Measured on trained files:
# 0.002 to 0.06 for bytes (YOLOX, open-nsfw, our own), 0.35 and more for the others (docs/decisions/0035).
GAIN_OF_BYTES_MAX = 0.09
GAIN_OF_UNITS_MIN = 0.2
_PASS = frozenset(
    "Transpose Cast CastLike Identity Pad Slice Gather Concat Split Reshape Unsqueeze Squeeze Resize SpaceToDepth "  # noqa: SIM905  # shorter
    "DequantizeLinear Flatten MaxPool AveragePool Clip Dropout Expand".split()
)
_STEPS_MAX = 60
# ImageNet's means, in shares of full scale: red is the brightest, blue the darkest.
_MEANS_RGB = np.array([0.485, 0.456, 0.406])


@dataclass(frozen=True, slots=True)
class Stem:
    """What was found between the picture and the first weights; ``None`` where it is not there or not plain.

    ``gain``: of the first weighted layer, for one step of the input. ``weights_mean``: mean |w| of that layer.
    ``scaled``: the graph multiplies or divides the picture itself. ``centred``: it subtracts from it. ``order``: of the
    channels, by in-graph means. ``levels``: the span of values that a quantized input can hold; ``exact``: they are the
    picture's own, from the least pixel to the largest. ``layer``: its operator and name.
    """

    gain: float | None = None
    weights_mean: float | None = None
    scaled: bool = False
    centred: bool = False
    order: str | None = None
    levels: tuple[float, float] | None = None
    exact: bool = False
    layer: str = ""

    @property
    def wants(self) -> str | None:
        """``bytes`` (0..255), ``units`` (0..1, or centred on 0), ``None`` where the file does not say."""
        if self.levels is not None:
            span = self.levels[1] - self.levels[0]
            return "bytes" if span > 100 else "units" if span < 20 else None
        if self.gain is None:
            return None
        return "bytes" if self.gain < GAIN_OF_BYTES_MAX else "units" if self.gain > GAIN_OF_UNITS_MIN else None

    def why(self) -> str:
        """What ``wants`` was concluded from, in words."""
        if self.levels is not None:
            return f"its quantized input holds {self.levels[0]:.3g} to {self.levels[1]:.3g}"
        if self.gain is None:
            return "no first layer with plain weights was found"
        own = ", after the graph's own scaling" if self.scaled else ""
        return f"mean |w| of {self.layer} is {self.weights_mean:.2g}, gain {self.gain:.2g}{own}"


def read_stem(model: onnx.ModelProto, image: str) -> Stem:
    """Follow the picture from the input named ``image`` to the first layer that has weights."""
    return _Walk(model).from_input(image)


class _Walk:
    """One walk, breadth first; constants are looked up, nothing is run."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._tensors: dict[str, Any] = {tensor.name: tensor for tensor in model.graph.initializer}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        self._makers: dict[str, onnx.NodeProto] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
            for name in node.output:
                self._makers[name] = node
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                self._tensors[node.output[0]] = node.attribute[0].t

    def from_input(self, image: str) -> Stem:
        scale, facts = 1.0, Stem()
        at, seen = [(image, scale, facts)], set()
        for _ in range(_STEPS_MAX):
            if not at:
                break
            name, scale, facts = at.pop(0)
            if name in seen:
                continue
            seen.add(name)
            for node in self._readers.get(name, []):
                found, further = self._step(node, name, scale, facts)
                if found is not None:
                    return found
                at += further
        return facts if facts.order or facts.levels else Stem()

    def _step(
        self, node: onnx.NodeProto, name: str, scale: float, facts: Stem
    ) -> tuple[Stem | None, list[tuple[str, float, Stem]]]:
        """What a reader of the picture is: the first weights, a step on the way to them, or neither."""
        match node.op_type:
            case "Conv" | "QLinearConv" | "ConvInteger" | "FusedConv" | "MatMul" | "Gemm":
                weights = self._weights(node, filters_last=node.op_type in {"MatMul", "Gemm"})
                return self._weighted(node, weights, scale, facts), []
            case "Mul" | "Div" | "Add" | "Sub" if (constant := self._other(node, name)) is not None:
                step, stem = _affine(node.op_type, constant, scale, facts)
                return None, [(node.output[0], step, stem)]
            case "BatchNormalization" if (factors := self._batch_factors(node)) is not None:
                scaled = replace(facts, scaled=True)
                return None, [(node.output[0], scale * float(np.median(np.abs(factors))), scaled)]
            case "QuantizeLinear":
                return None, [(node.output[0], scale, replace(facts, levels=self._levels(node)))]
            case operator if (operator in _PASS and node.input[0] == name) or operator == "Concat":
                return None, [(output, scale, facts) for output in node.output]
        return None, []

    def _weighted(
        self, node: onnx.NodeProto, weights: NDArray[np.float64] | None, scale: float, facts: Stem
    ) -> Stem | None:
        if weights is None or not weights.size:
            return None
        lengths = np.sqrt((weights.reshape(len(weights), -1) ** 2).sum(axis=1))
        used = lengths[lengths > lengths.max() * 1e-3] if lengths.max() > 0 else lengths
        return replace(
            facts,
            gain=float(np.median(used)) * abs(scale),
            weights_mean=float(np.abs(weights).mean()),
            layer=f"the first {node.op_type}" + (f" '{node.name[:60]}'" if node.name else ""),
        )

    def _weights(self, node: onnx.NodeProto, *, filters_last: bool = False) -> NDArray[np.float64] | None:
        position = 3 if node.op_type == "QLinearConv" else 1
        if len(node.input) <= position:
            return None
        values = self._constant(node.input[position])
        if values is None or values.ndim < 2:
            return None
        if node.op_type == "QLinearConv":
            factor = self._constant(node.input[4])
            values = values * (1.0 if factor is None else float(np.median(factor)))
        transposed = any(item.name == "transB" and item.i for item in node.attribute)
        return values if not filters_last or transposed else values.T

    def _constant(self, name: str) -> NDArray[np.float64] | None:
        """A constant's values, through the operators that quantization and export put around it."""
        tensor, maker = self._tensors.get(name), self._makers.get(name)
        if tensor is not None:
            held = onnx.numpy_helper.to_array(tensor)
            return held.astype(np.float64) if held.dtype.kind in "fiu" else None
        if maker is not None and maker.op_type in {"Identity", "Cast", "Transpose", "Reshape", "Unsqueeze"}:
            return self._constant(maker.input[0])
        return self._dequantized(maker) if maker is not None and maker.op_type == "DequantizeLinear" else None

    def _dequantized(self, maker: onnx.NodeProto) -> NDArray[np.float64] | None:
        values, scale = self._constant(maker.input[0]), self._constant(maker.input[1])
        zero = self._constant(maker.input[2]) if len(maker.input) > 2 else np.zeros(())
        if values is None or scale is None or zero is None:
            return None
        axes = (-1, *([1] * (values.ndim - 1)))
        scale, zero = (one.reshape(axes) if one.size > 1 else one for one in (scale, zero))
        return np.asarray((values - zero) * scale, np.float64)

    def _other(self, node: onnx.NodeProto, name: str) -> NDArray[np.float64] | None:
        if node.op_type in {"Div", "Sub"} and node.input[0] != name:
            return None
        others = [self._constant(other) for other in node.input if other != name]
        constant = others[0] if others else None
        return constant if constant is not None and constant.size in {1, 3, 4} else None

    def _batch_factors(self, node: onnx.NodeProto) -> NDArray[np.float64] | None:
        gamma, variance = self._constant(node.input[1]), self._constant(node.input[4])
        return None if gamma is None or variance is None else gamma / np.sqrt(variance + 1e-5)

    def _levels(self, node: onnx.NodeProto) -> tuple[float, float] | None:
        scale = self._constant(node.input[1])
        if scale is None or scale.size != 1:
            return None
        zero, low, high = 0.0, 0.0, 255.0
        if len(node.input) > 2 and (tensor := self._tensors.get(node.input[2])) is not None:
            values = onnx.numpy_helper.to_array(tensor)
            zero = float(values.reshape(-1)[0])
            if values.dtype.kind in "iu":
                limits = np.iinfo(values.dtype)
                low, high = float(limits.min), float(limits.max)
        factor = float(scale.reshape(-1)[0])
        return (low - zero) * factor, (high - zero) * factor


def _affine(operator: str, constant: NDArray[np.float64], scale: float, facts: Stem) -> tuple[float, Stem]:
    size = float(np.median(np.abs(constant)))
    if operator in {"Mul", "Div"}:
        factor = size if operator == "Mul" else 1.0 / size if size else 1.0
        return scale * factor, replace(facts, scaled=facts.scaled or abs(factor - 1.0) > 1e-6)
    return scale, replace(facts, centred=facts.centred or size > 0, order=facts.order or _order(constant))


def _order(means: NDArray[np.float64]) -> str | None:
    """RGB or BGR, where the three means are ImageNet's in any unit; ``None`` for others."""
    values = np.abs(means.reshape(-1))
    if values.size != 3 or values.max() <= 0:
        return None
    shares = values / values.max()
    for order, wanted in (("rgb", _MEANS_RGB), ("bgr", _MEANS_RGB[::-1])):
        if np.abs(shares - wanted / wanted.max()).max() < 0.03:
            return order
    return None
