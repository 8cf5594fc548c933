"""Bytes of a picture stay bytes in an integer graph, and only where nothing else was done to them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.pixels import fold_pixels, pixel_tensors

HW = (6, 8)


def graph(*, scale: float = 1.0, zero: int = 0, cast_first: bool = False, read_twice: bool = False) -> onnx.ModelProto:
    """Pixels (1, H, W, 3) uint8 -> transposed, cast, rounded -> convolution, as importer and quantizer write it."""
    weight = np.random.default_rng(1).normal(0, 0.01, (4, 3, 3, 3)).astype(np.float32)
    moved = helper.make_node("Transpose", ["cast" if cast_first else "image"], ["moved"], "moved", perm=[0, 3, 1, 2])
    cast = helper.make_node("Cast", ["image" if cast_first else "moved"], ["cast"], "cast", to=TensorProto.FLOAT)
    pixels = "moved" if cast_first else "cast"
    nodes = [
        *((cast, moved) if cast_first else (moved, cast)),
        helper.make_node("QuantizeLinear", [pixels, "scale", "zero"], ["bytes"], "q"),
        helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["floats"], "dq"),
        helper.make_node("Conv", ["floats", "weight"], ["out"], "conv", pads=[1, 1, 1, 1]),
    ]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 4, *HW])]
    if read_twice:
        nodes.append(helper.make_node("Identity", [pixels], ["again"], "again"))
        outputs.append(helper.make_tensor_value_info("again", TensorProto.FLOAT, [1, 3, *HW]))
    constants = [
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        numpy_helper.from_array(np.array(zero, np.uint8), "zero"),
        numpy_helper.from_array(weight, "weight"),
    ]
    picture = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, *HW, 3])
    made = helper.make_graph(nodes, "pixels", [picture], outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("cast_first", [False, True], ids=["transpose-cast", "cast-transpose"])
def test_bytes_go_into_the_first_layer_without_cast_and_rounding_and_the_answer_is_the_same(cast_first: bool) -> None:
    model = graph(cast_first=cast_first)
    picture = np.random.default_rng(2).integers(0, 256, (1, *HW, 3), np.uint8)
    before = run_reference(model.SerializeToString(), {"image": picture}, name="before")["out"]

    fold_pixels(model)

    onnx.checker.check_model(model, full_check=True)
    assert kinds(model) == ["Transpose", "DequantizeLinear", "Conv"]
    after = run_reference(model.SerializeToString(), {"image": picture}, name="after")["out"]
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    "other",
    [{"scale": 0.5}, {"zero": 3}, {"read_twice": True}],
    ids=["another-scale", "another-zero", "floats-read-elsewhere"],
)
def test_a_rounding_that_changes_values_stays(other: dict[str, float]) -> None:
    model = graph(**other)
    before = kinds(model)
    fold_pixels(model)
    assert kinds(model) == before


def test_tensors_of_pixels_are_known_and_nothing_behind_a_layer_is() -> None:
    assert pixel_tensors(Network(graph())) == {"cast"}
    assert pixel_tensors(Network(graph(cast_first=True))) == {"cast", "moved"}
