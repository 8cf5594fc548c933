"""A bundle of a few nodes, whole and verified, for tests of what opens and runs one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper

from vigie.models import Bundle, load_bundle
from vigie.models.card import Card, write_card


def tiny_bundle(folder: Path, *, output_shape: list[Any] | None = None, hw: tuple[int, int] = (4, 6)) -> Bundle:
    """uint8 (1, H, W, 3) -> the mean of each channel (1, 3), or the bright pixels (n, 3)."""
    pixels = helper.make_tensor_value_info("image_bgr", TensorProto.UINT8, [1, *hw, 3])
    nodes = [helper.make_node("Cast", ["image_bgr"], ["f"], to=TensorProto.FLOAT)]
    shape = output_shape or [1, 3]
    if shape[0] == -1:
        nodes += [
            helper.make_node("Reshape", ["f", "flat"], ["rows"]),
            helper.make_node("ReduceMax", ["rows"], ["best"], axes=[1], keepdims=0),
            helper.make_node("Greater", ["best", "limit"], ["bright"]),
            helper.make_node("Compress", ["rows", "bright"], ["out"], axis=0),
        ]
    else:
        nodes.append(helper.make_node("ReduceMean", ["f"], ["out"], axes=[1, 2], keepdims=0))
    weights = [
        onnx.numpy_helper.from_array(np.array([-1, 3], np.int64), "flat"),
        onnx.numpy_helper.from_array(np.array(100, np.float32), "limit"),
    ]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [s if s > 0 else "n" for s in shape])]
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", [pixels], outputs, weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    folder.mkdir()
    (folder / "fp32.onnx").write_bytes(model.SerializeToString())
    digest = hashlib.sha256((folder / "fp32.onnx").read_bytes()).hexdigest()
    tree = {
        "schema": "vigie.card/1",
        "name": "tiny",
        "task": "classification",
        "input": {"name": "image_bgr", "height": hw[0], "width": hw[1], "align": "stretch"},
        "outputs": [{"name": "out", "shape": shape}],
        "decoder": {"family": "classifier"},
        "labels": ["blue", "green", "red"],
        "variants": {"fp32": {"file": "fp32.onnx", "sha256": digest, "precision": "fp32", "opset": 17}},
    }
    (folder / "card.yaml").write_bytes(write_card(msgspec.convert(tree, Card)))
    return load_bundle(folder)
