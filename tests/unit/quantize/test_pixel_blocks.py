"""The first convolutions on blocks of pixels answer as those on pixels, and only what can be folded is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.paired_weights import PAIR_MAX
from vigie_devkit.quantize.pixel_blocks import BLOCK_NODE, in_blocks
from vigie_devkit.quantize.pixels import PIXEL_RANGE, fold_pixels
from vigie_devkit.quantize.qdq import write_qdq
from vigie_devkit.quantize.recipes import U8S8_PAIRED
from vigie_devkit.quantize.tails import find_tail

HEIGHT = 16


def network(
    *,
    first: dict[str, Any] | None = None,
    second: dict[str, Any] | None = None,
    between: str = "Relu",
    width: int = 24,
    bias: bool = True,
    read_twice: bool = False,
) -> Network:
    """Pixels (1, 16, W, 3) uint8 -> planes -> floats -> convolution -> ``between`` -> convolution -> the last one."""
    rng = np.random.default_rng(5)
    settings = [
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]} | (change or {}) for change in (first, second)
    ]
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["pixels"], "cast", to=TensorProto.FLOAT),
    ]
    constants = []
    at = "pixels"
    for number, (channels, filters, setting) in enumerate(((3, 4, settings[0]), (4, 5, settings[1]))):
        spread = 0.01 if number == 0 else 0.3
        rows, columns = setting["kernel_shape"]
        shape = (filters, channels // setting.get("group", 1), rows, columns)
        constants.append(numpy_helper.from_array(rng.normal(0, spread, shape).astype(np.float32), f"w{number}"))
        inputs = [at, f"w{number}"]
        if bias:
            constants.append(numpy_helper.from_array(rng.normal(0, 0.5, filters).astype(np.float32), f"b{number}"))
            inputs.append(f"b{number}")
        nodes.append(helper.make_node("Conv", inputs, [f"sum{number}"], f"conv{number}", **setting))
        nodes.append(helper.make_node(between, [f"sum{number}"], [f"out{number}"], f"act{number}"))
        at = f"out{number}"
    constants.append(numpy_helper.from_array(rng.normal(0, 0.3, (2, 5, 1, 1)).astype(np.float32), "w2"))
    nodes.append(helper.make_node("Conv", [at, "w2"], ["answer"], "conv2"))
    outputs = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)]
    if read_twice:
        outputs.append(helper.make_tensor_value_info("out0", TensorProto.FLOAT, None))
    picture = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, width, 3])
    graph = helper.make_graph(nodes, "stem", [picture], outputs, constants)
    return Network(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def answer(model: onnx.ModelProto) -> NDArray[Any]:
    onnx.checker.check_model(model, full_check=True)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    picture = np.random.default_rng(9).integers(0, 256, shape, np.uint8)
    picture[:, :, :2] = picture[:, :, -2:] = 255  # borders are where a block and its padding can be mixed up
    return run_reference(model.SerializeToString(), {"image": picture}, name="blocks")["answer"]


def kernels(network: Network) -> list[list[int]]:
    return [list(network.weights[node.input[1]].dims) for node in network.model.graph.node if node.op_type == "Conv"]


FOLDED: list[tuple[str, dict[str, Any], list[list[int]]]] = [
    ("as-the-shipped-detector", {}, [[8, 12, 3, 2], [5, 8, 3, 2]]),
    ("no-bias", {"bias": False}, [[8, 12, 3, 2], [5, 8, 3, 2]]),
    ("wide-filter", {"first": {"kernel_shape": [6, 6], "pads": [2, 2, 2, 2]}}, [[8, 12, 6, 3], [5, 8, 3, 2]]),
    ("uneven-padding", {"first": {"pads": [0, 0, 1, 1]}}, [[8, 12, 3, 2], [5, 8, 3, 2]]),
    ("stride-3", {"first": {"strides": [1, 3]}, "width": 36}, [[8, 18, 3, 2], [5, 8, 3, 2]]),
    ("patches", {"first": {"kernel_shape": [2, 2], "pads": [0] * 4}}, [[8, 12, 2, 1], [5, 8, 3, 2]]),
    ("second-without-stride", {"second": {"strides": [1, 1]}}, [[4, 6, 3, 2], [5, 4, 3, 3]]),
    ("second-dilated", {"second": {"dilations": [1, 2], "pads": [1, 2, 1, 2]}}, [[4, 6, 3, 2], [5, 4, 3, 3]]),
    ("blocks-of-two-alone-divide-the-width", {"width": 26}, [[4, 6, 3, 2], [5, 4, 3, 3]]),
    ("another-value-that-is-read", {"read_twice": True}, [[4, 6, 3, 2], [5, 4, 3, 3]]),
]


@pytest.mark.parametrize(("settings", "shapes"), [case[1:] for case in FOLDED], ids=[case[0] for case in FOLDED])
@pytest.mark.parametrize("between", ["Relu", "Sigmoid"])
def test_blocks_answer_as_pixels_do(between: str, settings: dict[str, Any], shapes: list[list[int]]) -> None:
    plain = network(between=between, **settings)
    blocks = in_blocks(plain, ())
    assert kernels(blocks)[:2] == shapes
    assert BLOCK_NODE in blocks.nodes
    np.testing.assert_allclose(answer(blocks.model), answer(plain.model), rtol=1e-5, atol=1e-5)  # sums in another order


@pytest.mark.parametrize(
    "settings",
    [
        {"first": {"strides": [2, 1]}},
        {"first": {"dilations": [1, 2], "pads": [1, 2, 1, 2]}},
        {"first": {"pads": [1, 3, 1, 3]}},
        {"width": 25},
    ],
    ids=["no-stride", "dilated", "more-outputs-than-pixels-over-stride", "width-that-blocks-do-not-divide"],
)
def test_what_cannot_be_folded_stays_as_it_is(settings: dict[str, Any]) -> None:
    plain = network(**settings)
    assert in_blocks(plain, ()) is plain


def test_layers_that_stay_float_are_not_folded() -> None:
    plain = network()
    assert in_blocks(plain, {"conv0"}) is plain
    assert kernels(in_blocks(plain, {"conv1"}))[:2] == [[4, 6, 3, 2], [5, 4, 3, 3]]


def test_the_written_integers_answer_alike_and_no_pair_of_the_new_filters_overflows() -> None:
    plain = network()
    kept = float_nodes(plain, find_tail(plain), ())
    ranges = {"pixels": PIXEL_RANGE, "sum0": (-9.0, 9.0), "out0": (0.0, 9.0), "sum1": (-9.0, 9.0), "out1": (0.0, 9.0)}
    ranges |= {"answer": (-9.0, 9.0)}
    # Whole 8 bits, so that both graphs get the same integers; pairs are other ones in blocks.
    written = [
        write_qdq(one, replace(U8S8_PAIRED, reduce_range=False), ranges, {*kept, BLOCK_NODE})
        for one in (plain, in_blocks(plain, kept))
    ]
    for model in written:
        fold_pixels(model)
        assert not [node for node in model.graph.node if node.op_type == "Cast"], "bytes go in as they are"
    np.testing.assert_array_equal(answer(written[0]), answer(written[1]))

    paired = write_qdq(in_blocks(plain, kept), U8S8_PAIRED, ranges, {*kept, BLOCK_NODE})
    for name in ("w0_quantized", "w1_quantized"):
        weight = next(one for one in paired.graph.initializer if one.name == name)
        filters = np.moveaxis(numpy_helper.to_array(weight).astype(int), 1, -1).reshape(weight.dims[0], -1)
        pairs = filters.reshape(len(filters), -1, 2)
        assert np.clip(pairs, 0, None).sum(axis=2).max() <= PAIR_MAX
        assert np.clip(pairs, None, 0).sum(axis=2).min() >= -PAIR_MAX
