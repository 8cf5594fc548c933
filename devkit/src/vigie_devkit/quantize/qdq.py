"""Writes integers into a graph: QuantizeLinear and DequantizeLinear pairs by onnxruntime.quantization, our ranges."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx

from vigie.errors import QuantizationError
from vigie.runtimes.runtime_libraries import first_line, import_onnxruntime
from vigie_devkit.models.order import sort_nodes
from vigie_devkit.quantize.float_nodes import QUANTIZED_TYPES
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.paired_weights import pair_weights, paired_convolutions
from vigie_devkit.quantize.recipes import Recipe

Ranges = Mapping[str, tuple[float, float]]

# Per-channel scales are an attribute of DequantizeLinear since then; older files get an invalid graph.
OPSET_MIN = 13


def write_qdq(
    network: Network,
    recipe: Recipe,
    ranges: Ranges,
    kept_float: Iterable[str],
    *,
    overrides: Mapping[str, list[dict[str, Any]]] | None = None,
    keep_activations: bool = False,
) -> onnx.ModelProto:
    """A QDQ graph of ``network``.

    Args: ranges: (low, high) by tensor. kept_float: nodes that stay as they are. overrides: encodings of another tool
        in the form of ``TensorQuantOverrides``. keep_activations: leave ReLU in the graph even where the range of the
        integers makes it needless.
    Raises: QuantizationError: the graph cannot be quantized so; the text says why.
    """
    version = opset(network.model)
    if version < OPSET_MIN:
        raise QuantizationError(
            recipe.name, f"the graph has opset {version}, {OPSET_MIN} is needed; export it with a newer opset"
        )
    import_onnxruntime()  # its telemetry must be off before the package is imported
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    kinds = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8, "u16": QuantType.QUInt16}
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    data = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in ranges.items()
        if math.isfinite(low) and math.isfinite(high)
    }
    options = {
        "ActivationSymmetric": recipe.symmetric_activations,
        "QDQKeepRemovableActivations": keep_activations,
        **recipe.options,
    }
    kept = list(kept_float)
    if recipe.reduce_range and not overrides:
        overrides = pair_weights(model, paired_convolutions(network, kept))
    if overrides:
        options["TensorQuantOverrides"] = {name: [dict(one) for one in many] for name, many in overrides.items()}
    with asking_onnxruntime(recipe.name):
        quantizer = QDQQuantizer(
            model,
            recipe.per_channel,
            recipe.reduce_range,
            QuantType.QInt8,
            kinds[recipe.activations],
            TensorsData(CalibrationMethod.MinMax, data),
            [],
            kept,
            QUANTIZED_TYPES,
            options,
        )
        quantizer.quantize_model()
    written: onnx.ModelProto = quantizer.model.model
    # The quantizer appends what it adds; ONNX Runtime does not mind, the ONNX checker and other runtimes do.
    sort_nodes(written)
    written.producer_name, written.producer_version = "vigie-devkit", ""
    return written


@contextmanager
def asking_onnxruntime(name: str) -> Iterator[None]:
    """Without its warnings: it tells of every tensor that it leaves alone on purpose, and advises what importing did.

    Raises: QuantizationError: it refuses the graph of variant ``name``.
    """
    was = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise QuantizationError(name, f"onnxruntime.quantization refuses the graph: {first_line(error)}") from error
    finally:
        logging.disable(was)


def opset(model: onnx.ModelProto) -> int:
    return next(int(item.version) for item in model.opset_import if item.domain in {"", "ai.onnx"})


def file_bytes(model: onnx.ModelProto) -> bytes:
    """The file's bytes without inferred shapes, which only this kit reads and which double a small file."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    content: bytes = bare.SerializeToString()
    return content
