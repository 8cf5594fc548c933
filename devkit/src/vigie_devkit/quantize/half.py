"""The fp16 variant: weights and arithmetic in half precision, the uint8 input and the float32 outputs as they were."""

from __future__ import annotations

import warnings

import onnx

from vigie.errors import QuantizationError
from vigie.runtimes.runtime_libraries import first_line, import_onnxruntime
from vigie_devkit.models.order import sort_nodes
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.tails import Tail


def write_half(network: Network, tail: Tail) -> onnx.ModelProto:
    """``network`` in fp16; the tail, whose boxes reach 640 and lose fractions there, stays fp32.

    Raises: QuantizationError: the converter refuses the graph.
    """
    import_onnxruntime()
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of every weight that underflows to zero
            half: onnx.ModelProto = convert_float_to_float16(
                model, keep_io_types=True, node_block_list=list(tail.nodes), disable_shape_infer=True
            )
    except (ValueError, RuntimeError, KeyError) as error:
        raise QuantizationError("fp16", f"onnxruntime refuses the graph: {first_line(error)}") from error
    _keep_once(half)
    sort_nodes(half)
    half.producer_name, half.producer_version = "vigie-devkit", ""
    return half


def _keep_once(model: onnx.ModelProto) -> None:
    """The converter casts a tensor once for each reader in the tail, all under one name: an invalid graph."""
    made: set[str] = set()
    names: set[str] = set()
    kept = []
    for node in model.graph.node:
        if set(node.output) <= made:
            continue
        made |= set(node.output)
        while node.name in names:
            node.name += "_again"
        names.add(node.name)
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
