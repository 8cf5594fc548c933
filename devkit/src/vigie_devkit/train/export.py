"""The trained network as an ONNX graph, written layer by layer: no exporter between the weights and the file."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vigie_devkit.train.network import STRIDES, Conv, Detector, Layer

OPSET = 17
INPUT, OUTPUT = "images", "output"


def to_onnx(network: Detector, size_hw: tuple[int, int], labels: list[str]) -> onnx.ModelProto:
    """(1, 3, H, W) float32 0..255 BGR -> (1, A, 5 + classes): YOLOX's raw output, scores already in 0..1."""
    weights = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = [
        numpy_helper.from_array(np.array([1.0, 1.0, 2.0, 2.0], np.float32), "twice"),
    ]
    for layer in network.table:
        _add(layer, weights, nodes, constants)
    anchors = sum((size_hw[0] // stride) * (size_hw[1] // stride) for stride in STRIDES)
    flats = []
    for stride in STRIDES:
        nodes += [
            helper.make_node("Sigmoid", [name], [f"{name}_score"], f"{name}_score")
            for name in (f"obj{stride}", f"cls{stride}")
        ]
        parts = [f"box{stride}", f"obj{stride}_score", f"cls{stride}_score"]
        nodes.append(helper.make_node("Concat", parts, [f"level{stride}"], f"level{stride}", axis=1))
        count = (size_hw[0] // stride) * (size_hw[1] // stride)
        constants.append(numpy_helper.from_array(np.array([1, 5 + len(labels), count], np.int64), f"shape{stride}"))
        nodes.append(
            helper.make_node("Reshape", [f"level{stride}", f"shape{stride}"], [f"flat{stride}"], f"flat{stride}")
        )
        flats.append(f"flat{stride}")
    nodes.append(helper.make_node("Concat", flats, ["all_levels"], "all_levels", axis=2))
    nodes.append(helper.make_node("Transpose", ["all_levels"], [OUTPUT], OUTPUT, perm=[0, 2, 1]))
    graph = helper.make_graph(
        nodes,
        "vigie_detector",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, *size_hw])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, anchors, 5 + len(labels)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="vigie-devkit")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def _add(
    layer: Layer,
    weights: dict[str, NDArray[np.float64]],
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
) -> None:
    if not isinstance(layer, Conv):
        nodes.append(
            helper.make_node(
                "Resize", [layer.deep, "", "twice"], [f"{layer.name}_up"], f"{layer.name}_up",
                mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
            )
        )  # fmt: skip
        nodes.append(helper.make_node("Add", [f"{layer.name}_up", layer.shallow], [layer.name], layer.name))
        return
    weight, bias = _folded(layer, weights)
    if layer.source == "image":
        weight = weight / 255.0  # the network divides its input
    constants.append(numpy_helper.from_array(weight.astype(np.float32), f"{layer.name}_weight"))
    constants.append(numpy_helper.from_array(bias.astype(np.float32), f"{layer.name}_bias"))
    source = INPUT if layer.source == "image" else layer.source
    out = f"{layer.name}_sum" if layer.relu else layer.name
    nodes.append(
        helper.make_node(
            "Conv", [source, f"{layer.name}_weight", f"{layer.name}_bias"], [out], f"{layer.name}_conv",
            kernel_shape=[layer.kernel] * 2, strides=[layer.stride] * 2, pads=[layer.kernel // 2] * 4,
        )
    )  # fmt: skip
    if layer.relu:
        nodes.append(helper.make_node("Relu", [out], [layer.name], f"{layer.name}_relu"))


def _folded(layer: Conv, weights: dict[str, NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight and bias with the batch normalisation folded in, in double precision."""
    name = f"parts.{layer.name}"
    if not layer.relu:
        return weights[f"{name}.weight"], weights[f"{name}.bias"]
    scale = weights[f"{name}.1.weight"] / np.sqrt(weights[f"{name}.1.running_var"] + 1e-3)
    bias = weights[f"{name}.1.bias"] - weights[f"{name}.1.running_mean"] * scale
    return weights[f"{name}.0.weight"] * scale[:, None, None, None], bias
