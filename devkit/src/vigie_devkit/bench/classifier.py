"""A classifier of the usual shape for benchmarks: random weights, real cost, outputs that depend on the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.importer import import_model

SIDE, CLASSES = 160, 100
# Channels of 3x3 convolutions, each but the first at half the size: some 150 M multiply-adds.
_CHANNELS = (16, 32, 64, 128, 256)


def write_classifier(folder: Path) -> Path:
    """The bundle ``bench-classifier`` in ``folder``."""
    file = folder / "bench-classifier.onnx"
    onnx.save(_network(), str(file))
    return import_model(
        file,
        folder / "bench-classifier",
        name="bench-classifier",
        feed=input_fields("rgb/imagenet"),
        labels=[f"class {number}" for number in range(CLASSES)],
    )


def _network() -> onnx.ModelProto:
    rng = np.random.default_rng(7)
    nodes, weights, taken, channels = [], [], "images", 3
    for level, wanted in enumerate(_CHANNELS):
        for step, stride in enumerate((2, 1)):
            name = f"conv{level}{step}"
            fan_in = 9 * channels
            kernel = rng.normal(0, np.sqrt(2 / fan_in), (wanted, channels, 3, 3)).astype(np.float32)
            weights.append(numpy_helper.from_array(kernel, f"{name}_w"))
            weights.append(numpy_helper.from_array(np.zeros(wanted, np.float32), f"{name}_b"))
            nodes.append(
                helper.make_node(
                    "Conv",
                    [taken, f"{name}_w", f"{name}_b"],
                    [f"{name}_c"],
                    kernel_shape=[3, 3],
                    strides=[stride, stride],
                    pads=[1, 1, 1, 1],
                )
            )
            nodes.append(helper.make_node("Relu", [f"{name}_c"], [name]))
            taken, channels = name, wanted
    head = rng.normal(0, np.sqrt(1 / channels), (channels, CLASSES)).astype(np.float32)
    weights.append(numpy_helper.from_array(head, "head"))
    nodes += [
        helper.make_node("GlobalAveragePool", [taken], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bench-classifier",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
