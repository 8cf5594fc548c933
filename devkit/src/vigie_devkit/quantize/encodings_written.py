"""The scales of a QDQ variant as other tools read them: AIMET's 0.6.1, which QNN's converter takes by
``--quantization_overrides``.

Per tensor of the float graph: ``bitwidth``, ``dtype``, ``is_symmetric``, ``min``, ``max``, ``scale``, ``offset``, with
value = scale * (integer + offset), the integer unsigned; per channel a list. Integers that the file keeps signed are
told as unsigned ones, which is the same value. Biases are left out: every tool makes them of input and weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from vigie.errors import QuantizationError
from vigie.models import Bundle
from vigie_devkit.quantize.pixel_blocks import BLOCK_NODE

VERSION = "0.6.1"
_BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16}
_QUANTIZED = "_quantized"


@dataclass(frozen=True, slots=True)
class Written:
    """``tree``: the file. ``left_out``: tensors whose integers are neither of 8 nor of 16 bits."""

    tree: dict[str, Any]
    left_out: tuple[str, ...]


def write_encodings(bundle: Bundle, variant_name: str | None, file: Path) -> Written:
    """Write the encodings of a variant; None: the first that is QDQ over the float graph's own filters.

    Raises: BundleError: no such variant. QuantizationError: it has no QDQ pairs, its first filters are other ones than
        the float graph's, or the file is there already.
    """
    card = bundle.card
    graphs = {
        name: onnx.load_model_from_string(bundle.variant(name).read().graph)
        for name, one in card.variants.items()
        if one.form == "qdq" and variant_name in {None, name}
    }
    qdq = [name for name, one in card.variants.items() if one.form == "qdq"]
    name = variant_name or next((name for name in qdq if not _in_blocks(graphs[name])), next(iter(card.variants)))
    bundle.variant(name)
    if name not in qdq:
        known = ", ".join(qdq) or "none"
        raise QuantizationError(name, f"has no QDQ pairs, so no scales to write; variants that have: {known}")
    if _in_blocks(graphs[name]):
        others = ", ".join(other for other in qdq if other != name) or "none"
        raise QuantizationError(
            name,
            "its first layers read blocks of pixels, so its weights' scales do not fit the float graph's filters; "
            f"other variants: {others}",
        )
    if file.exists():
        raise QuantizationError(str(file), "already exists; remove it, or name another file")
    written = encodings_of(graphs[name])
    file.write_text(json.dumps(written.tree, indent=1) + "\n", encoding="utf-8")
    return written


def encodings_of(model: onnx.ModelProto) -> Written:
    """Of every QuantizeLinear's input, and of every DequantizeLinear's weight."""
    constants = {one.name: one for one in model.graph.initializer}
    activations: dict[str, list[dict[str, Any]]] = {}
    params: dict[str, list[dict[str, Any]]] = {}
    left_out: list[str] = []
    for node in model.graph.node:
        tensor, found = _pair(node, constants)
        if not tensor:
            continue
        entries = list(_entries(node, constants))
        if entries:
            (params if found else activations)[tensor] = entries
        else:
            left_out.append(tensor)
    tree = {
        "version": VERSION,
        "activation_encodings": activations,
        "param_encodings": params,
        "excluded_layers": [],
        "quantizer_args": {},
    }
    return Written(tree, tuple(left_out))


def _in_blocks(model: onnx.ModelProto) -> bool:
    return any(node.name == BLOCK_NODE for node in model.graph.node)


def _pair(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> tuple[str, bool]:
    """The float tensor that the node stands for, and whether it is a weight; empty: another node, or a bias."""
    if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
        return node.input[0], False
    weight = constants.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
    if weight is None or weight.data_type == onnx.TensorProto.INT32:
        return "", False
    return weight.name.removesuffix(_QUANTIZED), True


def _entries(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Iterator[dict[str, Any]]:
    """One, or one per channel; none where the width is neither 8 nor 16, or the scale is computed."""
    scale_name, zero_name = node.input[1], node.input[2] if len(node.input) > 2 else ""
    if scale_name not in constants:
        return
    scales = np.atleast_1d(numpy_helper.to_array(constants[scale_name]).astype(np.float64))
    zeros: NDArray[Any] = np.zeros(1, np.uint8)
    if zero_name:
        if zero_name not in constants:
            return
        zeros = np.atleast_1d(numpy_helper.to_array(constants[zero_name]))
    elif node.input[0] in constants:
        zeros = np.zeros(1, numpy_helper.to_array(constants[node.input[0]]).dtype)
    bits = _BITS.get(zeros.dtype.name)
    if bits is None:
        return
    signed = zeros.dtype.kind == "i"
    middle = 1 << (bits - 1) if signed else 0
    for scale, zero in zip(scales, np.broadcast_to(zeros, scales.shape), strict=True):
        offset = -int(zero) - middle
        yield {
            "bitwidth": bits,
            "dtype": "int",
            "is_symmetric": str(signed and int(zero) == 0),
            "max": float(scale * ((1 << bits) - 1 + offset)),
            "min": float(scale * offset),
            "offset": offset,
            "scale": float(scale),
        }
