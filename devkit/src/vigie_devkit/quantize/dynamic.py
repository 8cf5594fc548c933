"""Dynamic quantization: matrix products whose activations get their scale in each run, from what they hold.

It needs no calibration and suits networks of matrix products (transformers, MLPs). Of a convolution it would make
ConvInteger, which is slower than fp32, so convolutions stay float and a network of convolutions gets no such variant.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx

from vigie.runtimes.runtime_libraries import import_onnxruntime
from vigie_devkit.models.order import sort_nodes
from vigie_devkit.quantize.layers import Network, attribute
from vigie_devkit.quantize.qdq import asking_onnxruntime
from vigie_devkit.quantize.recipes import Recipe

# Of the multiply-adds, as for every other variant: with less than half in integers a file is no integer variant.
SHARE_MIN = 0.5


def dynamic_layers(network: Network) -> tuple[str, ...]:
    """Names of the layers that become integers: MatMul and plain Gemm, by a constant matrix on the right."""
    return tuple(layer.name for layer in network.layers if _is_product(network, network.nodes[layer.name]))


def suited(recipes: Sequence[Recipe], network: Network) -> tuple[list[Recipe], tuple[str, ...]]:
    """The recipes that make sense for ``network``, and one sentence for each that does not."""
    share = _share(network)
    kept = [recipe for recipe in recipes if not recipe.dynamic or share >= SHARE_MIN]
    return kept, tuple(
        f"{recipe.name} is not made: {share:.1%} of the multiply-adds are in MatMul or Gemm, {SHARE_MIN:.0%} are "
        "needed; of convolutions dynamic quantization makes ConvInteger, which is slower than fp32"
        for recipe in recipes
        if recipe not in kept
    )


def write_dynamic(network: Network, recipe: Recipe) -> onnx.ModelProto:
    """``network`` with DynamicQuantizeLinear and MatMulInteger in place of the layers of ``dynamic_layers``.

    Raises: QuantizationError: onnxruntime refuses the graph.
    """
    import_onnxruntime()  # its telemetry must be off before the package is imported
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    _own_weights(model)
    # A Gemm is first rewritten as MatMul and Add, under this name.
    chosen = [f"{name}_MatMul" if network.nodes[name].op_type == "Gemm" else name for name in dynamic_layers(network)]
    with asking_onnxruntime(recipe.name), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "dynamic.onnx"
        quantize_dynamic(
            model,
            str(file),
            op_types_to_quantize=["MatMul"],
            per_channel=recipe.per_channel,
            reduce_range=recipe.reduce_range,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=chosen,
        )
        written: onnx.ModelProto = onnx.load(str(file))
    sort_nodes(written)
    written.producer_name, written.producer_version = "vigie-devkit", ""
    return written


def _share(network: Network) -> float:
    chosen = set(dynamic_layers(network))
    return network.integer_share(layer.name for layer in network.layers if layer.name not in chosen)


def _is_product(network: Network, node: onnx.NodeProto) -> bool:
    weight = network.weights.get(node.input[1])
    if node.op_type not in {"MatMul", "Gemm"} or weight is None or len(weight.dims) != 2:
        return False
    scaled = any(item.name in {"alpha", "beta"} and item.f != 1.0 for item in node.attribute)
    return not scaled and not attribute(node, "transA", 0)


def _own_weights(model: onnx.ModelProto) -> None:
    """A matrix of its own for each Gemm that transposes it: onnxruntime turns it in place, whoever else reads it."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    readers = [name for node in model.graph.node for name in node.input]
    for node in model.graph.node:
        if node.op_type == "Gemm" and attribute(node, "transB", 0) and readers.count(node.input[1]) > 1:
            tensor = tensors.get(node.input[1])
            if tensor is not None:
                own = model.graph.initializer.add()
                own.CopyFrom(tensor)
                own.name = node.input[1] = f"{tensor.name}_of_{node.name}"
