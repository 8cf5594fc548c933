"""A real model that does not end: a Loop of 2^62 steps for every picture brighter than a level, one step for others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vigie.models import Bundle, load_bundle
from vigie.models.card import Card, write_card

_FOR_EVER = 1 << 62


def hanging_bundle(folder: Path, *, hw: tuple[int, int] = (32, 48), above: float = 200.0) -> Bundle:
    """uint8 (1, H, W, 3) -> the mean of each channel (1, 3). ``above``: mean pixel value from which it hangs."""
    nodes = [
        helper.make_node("Cast", ["image_bgr"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "level"], ["bright"]),
        helper.make_node("Where", ["bright", "for_ever", "once"], ["trips"]),
        helper.make_node("Loop", ["trips", "go_on", "means"], ["out"], body=_body()),
    ]
    weights = [
        numpy_helper.from_array(np.array(above, np.float32), "level"),
        numpy_helper.from_array(np.array(_FOR_EVER, np.int64), "for_ever"),
        numpy_helper.from_array(np.array(1, np.int64), "once"),
        numpy_helper.from_array(np.array(True), "go_on"),
    ]
    image = helper.make_tensor_value_info("image_bgr", TensorProto.UINT8, [1, *hw, 3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "hanging", [image], [out], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True)
    content = model.SerializeToString()
    (folder / "fp32.onnx").write_bytes(content)
    tree = {
        "schema": "vigie.card/1",
        "name": folder.name,
        "task": "classification",
        "input": {"name": "image_bgr", "height": hw[0], "width": hw[1], "align": "stretch"},
        "outputs": [{"name": "out", "shape": [1, 3]}],
        "decoder": {"family": "classifier"},
        "labels": ["blue", "green", "red"],
        "variants": {
            "fp32": {
                "file": "fp32.onnx",
                "sha256": hashlib.sha256(content).hexdigest(),
                "precision": "fp32",
                "opset": 17,
            }
        },
    }
    (folder / "card.yaml").write_bytes(write_card(msgspec.convert(tree, Card)))
    return load_bundle(folder)


def _body() -> onnx.GraphProto:
    """Adds a nothing to the means in each step, so that no optimiser may leave the loop out."""
    values = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("step", TensorProto.INT64, []),
            ("before", TensorProto.BOOL, []),
            ("carried", TensorProto.FLOAT, [1, 3]),
            ("after", TensorProto.BOOL, []),
            ("carries", TensorProto.FLOAT, [1, 3]),
        )
    ]
    nodes = [
        helper.make_node("Identity", ["before"], ["after"]),
        helper.make_node("Sin", ["carried"], ["wave"]),
        helper.make_node("Mul", ["wave", "nothing"], ["little"]),
        helper.make_node("Add", ["carried", "little"], ["carries"]),
    ]
    nothing = [numpy_helper.from_array(np.array(1e-30, np.float32), "nothing")]
    return helper.make_graph(nodes, "body", values[:3], values[3:], nothing)
