"""Scales of other tools: the forms that are read, what is refused, and that they end up in the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from support import models
from support.checkout import ROOT
from vigie.errors import QuantizationError
from vigie.models import load_bundle
from vigie_devkit.cli import main
from vigie_devkit.quantize.encodings import read_encodings
from vigie_devkit.quantize.encodings_written import encodings_of, write_encodings
from vigie_devkit.quantize.float_nodes import float_nodes
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.qdq import write_qdq
from vigie_devkit.quantize.recipes import A16W8, U8S8_8BIT
from vigie_devkit.quantize.tails import find_tail


def network() -> Network:
    g = models.Graph()
    hidden = g.add("Relu", g.add("Conv", "images", g.constant(g.rng.normal(size=(4, 3, 1, 1)))), name="hidden")
    g.add("Conv", hidden, g.constant(g.rng.normal(size=(2, 4, 1, 1))), name="output")
    return Network(g.model([models.image((8, 8))], [models.tensor("output", [1, 2, 8, 8])]))


RANGES = {"images": (0.0, 1.0), "t0": (0.0, 4.0), "hidden": (0.0, 4.0), "output": (-4.0, 4.0)}
ONE = {"bitwidth": 8, "scale": 0.03125, "offset": -5, "is_symmetric": "False"}


def write(folder: Path, tree: Any) -> Path:
    file = folder / "encodings.json"
    file.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return file


@pytest.mark.parametrize(
    "tree",
    [
        {"activation_encodings": {"hidden": [ONE]}, "param_encodings": {}},
        {"version": "1.0.0", "activation_encodings": [{"name": "hidden", "bw": 8, "scale": [0.03125], "offset": [-5]}]},
        {"hidden": {"scale": 0.03125, "offset": -5, "bitwidth": 8}},
    ],
    ids=["aimet-0.6", "aimet-1.0", "plain"],
)
def test_scale_and_offset_of_another_tool_are_those_of_the_file(tmp_path: Path, tree: Any) -> None:
    net = network()
    encodings = read_encodings(write(tmp_path, tree), net)
    assert encodings.unknown == ()
    assert encodings.activation_bits(net) == 8
    model = write_qdq(net, U8S8_8BIT, RANGES, float_nodes(net, find_tail(net), []), overrides=encodings.overrides(net))
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    scale, zero_point = (
        values[name]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] == "hidden"
        for name in node.input[1:]
    )
    assert float(scale) == 0.03125
    assert (int(zero_point), zero_point.dtype) == (5, np.uint8)


def test_weights_per_channel_are_taken_over_signed(tmp_path: Path) -> None:
    net = network()
    scales = [0.01, 0.02, 0.03, 0.04]
    tree = {"param_encodings": {"w0": [{"bitwidth": 8, "scale": scale, "offset": -128} for scale in scales]}}
    encodings = read_encodings(write(tmp_path, tree), net)
    model = write_qdq(net, U8S8_8BIT, RANGES, float_nodes(net, find_tail(net), []), overrides=encodings.overrides(net))
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    assert values["w0_scale"] == pytest.approx(scales)
    assert values["w0_quantized"].dtype == np.int8
    assert not values["w0_zero_point"].any()


def test_16_bits_ask_for_the_recipe_of_that_width(tmp_path: Path) -> None:
    net = network()
    encodings = read_encodings(write(tmp_path, {"hidden": {"bitwidth": 16, "scale": 1e-4, "offset": 0}}), net)
    assert encodings.activation_bits(net) == 16
    model = write_qdq(net, A16W8, RANGES, float_nodes(net, find_tail(net), []), overrides=encodings.overrides(net))
    assert any(node.domain == "com.microsoft" and node.op_type == "QuantizeLinear" for node in model.graph.node)


def test_tensors_that_the_graph_does_not_have_are_told(tmp_path: Path) -> None:
    assert read_encodings(write(tmp_path, {"hidden": ONE, "gone": ONE}), network()).unknown == ("gone",)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ("{", "cannot be read as JSON"),
        ([1], "expected a mapping of tensors"),
        ({"gone": ONE}, "none of its 1 tensors is in the graph; it was made for another export"),
        ({"hidden": {"bitwidth": 8}}, "'hidden': expected scale, offset and bitwidth"),
        ({"hidden": {**ONE, "bitwidth": 4}}, "'hidden': bit width [4]; 8 and 16 can be taken over"),
        ({"hidden": {**ONE, "scale": 0}}, "'hidden': each scale must be above 0"),
        ({"hidden": {**ONE, "scale": "x"}}, "'hidden': expected scale, offset and bitwidth"),
        ({"hidden": {**ONE, "offset": 5}}, "'hidden': offsets lie in -255..0, got 5"),
        ({"hidden": [ONE, ONE]}, "'hidden': 2 scales for 1 channels"),
        ({"w0": [ONE, ONE]}, "'w0': 2 scales for 4 channels"),
    ],
    ids=["json", "list", "none-fit", "no-scale", "bits", "zero", "text", "offset", "activation-channels", "channels"],
)
def test_encodings_that_cannot_be_are_refused(tmp_path: Path, tree: Any, said: str) -> None:
    with pytest.raises(QuantizationError) as refused:
        read_encodings(write(tmp_path, tree), network())
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuantizationError, match="cannot be read as JSON"):
        read_encodings(tmp_path / "none.json", network())


@pytest.mark.parametrize(("variant", "bits"), [("int8-s8s8", 8), ("a16w8", 16)])
def test_what_is_written_of_a_variant_is_read_back_to_the_same_integers(
    tmp_path: Path, variant: str, bits: int
) -> None:
    bundle = load_bundle(ROOT / "shared/models/conveyor-parts")
    file = tmp_path / "out.encodings"
    assert write_encodings(bundle, variant, file).left_out == ()
    net = Network(onnx.load_model_from_string(bundle.variant("fp32").read().graph))
    encodings = read_encodings(file, net)
    assert encodings.unknown == (), "every tensor is one of the float graph"
    assert encodings.activation_bits(net) == bits
    graph = onnx.load_model_from_string(bundle.variant(variant).read().graph).graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    checked = 0
    for node in graph.node:
        is_weight = node.op_type == "DequantizeLinear" and node.input[0] in constants
        if node.op_type != "QuantizeLinear" and not is_weight:
            continue
        if is_weight and constants[node.input[0]].dtype == np.int32:
            continue
        name = node.input[0].removesuffix("_quantized")
        one = next(one for one in encodings.found if one.tensor == name)
        scales, zeros = (np.atleast_1d(constants[tensor]) for tensor in node.input[1:])
        middle = 1 << (one.bits - 1) if zeros.dtype.kind == "i" else 0
        np.testing.assert_array_equal(np.float32(one.scales), scales)
        assert [-offset - middle for offset in one.offsets] == np.broadcast_to(zeros, scales.shape).tolist()
        checked += 1
    assert checked > 30


def test_a_written_encoding_has_the_range_that_its_integers_reach(tmp_path: Path) -> None:
    net = network()
    overrides = {"hidden": {"scale": 0.03125, "offset": -5, "bitwidth": 8}}
    encodings = read_encodings(write(tmp_path, overrides), net)
    model = write_qdq(net, U8S8_8BIT, RANGES, float_nodes(net, find_tail(net), []), overrides=encodings.overrides(net))
    tree = encodings_of(model).tree
    (hidden,) = tree["activation_encodings"]["hidden"]
    assert hidden == {
        "bitwidth": 8, "dtype": "int", "is_symmetric": "False",
        "max": 7.8125, "min": -0.15625, "offset": -5, "scale": 0.03125,
    }  # fmt: skip
    for entries in tree["param_encodings"].values():
        assert len(entries) in {2, 4}
        assert {(one["offset"], one["is_symmetric"]) for one in entries} == {(-128, "True")}


def test_a_variant_without_scales_is_refused_with_those_that_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(ROOT / "shared/models/conveyor-parts")
    assert main(["models", "export", bundle, "--encodings", str(tmp_path / "out"), "--variant", "fp16"]) != 0
    assert "variants that have: int8-u8s8, int8-s8s8, a16w8" in capsys.readouterr().err
    assert main(["models", "export", bundle, "--encodings", str(tmp_path / "out")]) == 0
    assert re.search(r"activations \d+\n  weights     \d+", capsys.readouterr().out)
    assert main(["models", "export", bundle, "--encodings", str(tmp_path / "out")]) != 0
    assert "already exists" in capsys.readouterr().err


def test_a_variant_with_other_filters_than_the_float_graph_is_refused_and_not_the_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(ROOT / "shared/models/conveyor-parts")
    blocks = ["models", "export", bundle, "--encodings", str(tmp_path / "out"), "--variant", "int8-u8s8"]
    assert main(blocks) != 0
    said = capsys.readouterr().err
    assert "its first layers read blocks of pixels" in said
    assert "other variants: int8-s8s8, a16w8" in said
    assert not (tmp_path / "out").exists()
    assert main(["models", "export", bundle, "--encodings", str(tmp_path / "out")]) == 0
    params = json.loads((tmp_path / "out").read_text())["param_encodings"]
    assert len(params["stem1_weight"]) == 16, "one scale per filter of the float graph"
