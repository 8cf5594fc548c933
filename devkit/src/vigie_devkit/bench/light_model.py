"""A YOLOX-shaped graph that costs next to nothing: what is measured with it is everything around the model.

Picture -> average pools of 8, 16 and 32 -> one 1x1 convolution each -> (1, rows, 5 + classes), raw as YOLOX exports it.
Objectness is a constant: three rows are certain, all others impossible, so every frame has a few detections.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_STRIDES = (8, 16, 32)
_CLASSES = 3
_CHANNELS = 5 + _CLASSES
_IMPOSSIBLE, _CERTAIN = -12.0, 12.0


def write_light_model(path: Path, side: int = 416) -> Path:
    """Write the model for square inputs of ``side`` pixels to ``path`` and return it."""
    rng = np.random.default_rng(7)
    nodes, weights, parts = [], [], []

    def constant(name: str, values: object, dtype: type = np.float32) -> str:
        weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    image = "images"
    for stride in _STRIDES:
        side_px = 8 if stride == _STRIDES[0] else 2
        pooled = f"pooled{stride}"
        nodes.append(
            helper.make_node("AveragePool", [image], [pooled], kernel_shape=[side_px] * 2, strides=[side_px] * 2)
        )
        image = pooled
        kernel = constant(f"kernel{stride}", rng.normal(0, 1e-3, (_CHANNELS, 3, 1, 1)))
        nodes.append(helper.make_node("Conv", [pooled, kernel], [f"drawn{stride}"]))
        flat = constant(f"flat{stride}", [1, _CHANNELS, -1], np.int64)
        nodes.append(helper.make_node("Reshape", [f"drawn{stride}", flat], [f"rows{stride}"]))
        parts.append(f"rows{stride}")
    rows = sum((side // stride) ** 2 for stride in _STRIDES)
    bias = np.zeros((1, _CHANNELS, rows), np.float32)
    bias[:, 4] = _IMPOSSIBLE
    bias[:, 4, :: rows // 3 + 1] = _CERTAIN
    bias[:, 5] = _CERTAIN
    sizes = constant("sizes", [4, _CHANNELS - 4], np.int64)
    nodes += [
        helper.make_node("Concat", parts, ["drawn"], axis=2),
        helper.make_node("Add", ["drawn", constant("bias", bias)], ["raw"]),
        helper.make_node("Split", ["raw", sizes], ["boxes", "logits"], axis=1),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["columns"], axis=1),
        helper.make_node("Transpose", ["columns"], ["output"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "light",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, rows, _CHANNELS])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
