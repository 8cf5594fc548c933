"""Each operator that is read, alone: the converted graph answers as LiteRT does, from both layouts, and in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.engines import needs
from vigie.errors import ModelFileError
from vigie.runtimes.engines.reference_run import run_reference

pytestmark = needs("litert")

if not pytestmark.args[0]:
    from ai_edge_litert import schema_py_generated as schema

    from support.tflite_cases import cases
    from support.tflite_graphs import Case, as_file, feed_of, run_litert
    from support.tflite_models import Writer
    from vigie_devkit.models.tflite.convert import convert
    from vigie_devkit.models.tflite.flatbuffer import read_network
    from vigie_devkit.models.tflite.operators import OPERATORS
    from vigie_devkit.models.tflite.proof import prove

CASES = {} if pytestmark.args[0] else cases()


def judged(content: bytes, feed: Any, file: Path, *, spans: bool = False) -> None:
    """LiteRT's answer here, and the graph's own by ONNX Runtime."""
    network = read_network(file, content, schema)
    converted = convert(file, network)
    (number,) = network.inputs
    tensor = network.tensors[number]
    values = tensor.dequantized(feed) if tensor.quantized else feed
    values = values.transpose(0, 3, 1, 2) if converted.planes[0] else values
    mine = run_reference(converted.model.SerializeToString(), {converted.inputs[0]: values}, name="the graph")
    for name, number, theirs in zip(converted.outputs, network.outputs, run_litert(content, feed), strict=True):
        one = mine[name]
        one = one if one.shape == theirs.shape else one.transpose(0, 2, 3, 1)
        assert one.shape == theirs.shape
        if spans:
            step = float(network.tensors[number].scales[0])
            assert np.abs(np.clip(one, *network.tensors[number].span) - theirs).max() <= 2.01 * step
        else:
            np.testing.assert_allclose(one, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("turned", [False, True], ids=["as planes", "as it lies"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_operator_answers_as_litert_does(case: Case, turned: bool, tmp_path: Path) -> None:
    judged(as_file(case, turned=turned), feed_of(case), tmp_path / "one.tflite")


@pytest.mark.parametrize("turned", [False, True], ids=["as planes", "as it lies"])
@pytest.mark.parametrize(
    "case", [one for one in CASES.values() if one.steps], ids=[n for n, c in CASES.items() if c.steps]
)
def test_an_operator_in_8_bits_answers_within_two_steps(case: Case, turned: bool, tmp_path: Path) -> None:
    rough = (feed_of(case, int8=True).astype(np.float32) + 7) / 64
    found = run_litert(as_file(case, turned=turned), rough)
    spans = [(float(one.min()), float(one.max())) for one in found]
    content = as_file(case, turned=turned, spans=spans)
    judged(content, feed_of(case, int8=True), tmp_path / "one.tflite", spans=True)


@pytest.mark.parametrize("kind", ["uint8", "int16"])
def test_other_integers_answer_within_two_steps(kind: str, tmp_path: Path) -> None:
    """uint8 as TensorFlow 1 wrote it, weights off zero too; int16 between layers, with weights in 8 bits."""
    writer, rng = Writer(), np.random.default_rng(6)
    types = schema.TensorType
    wide = kind == "int16"
    number = types.INT16 if wide else types.UINT8
    fed, given = ({"scales": 1 / 8000}, {"scales": 1 / 2000}) if wide else (
        {"scales": 1 / 100, "zero": 120}, {"scales": 1 / 25, "zero": 131}
    )  # fmt: skip
    source = writer.tensor("source", (1, 8, 6, 3), number, **fed)
    steps = rng.integers(-127, 128, (5, 3, 3, 3)) if wide else rng.integers(1, 256, (5, 3, 3, 3))
    told = {"scales": np.full(5, 1 / 300)} if wide else {"scales": 1 / 300, "zero": 121}
    kernel = writer.tensor(
        "kernel",
        steps.shape,
        types.INT8 if wide else types.UINT8,
        data=steps.astype(np.int8 if wide else np.uint8),
        **told,
    )
    per_step = fed["scales"] / 300
    bias = writer.tensor(
        "bias", (5,), types.INT64 if wide else types.INT32,
        data=np.arange(-2, 3).astype(np.int64 if wide else np.int32) * 1000,
        scales=np.full(5, per_step) if wide else per_step,
    )  # fmt: skip
    result = writer.tensor("result", (1, 8, 6, 5), number, **given)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    form = schema.BuiltinOptions.Conv2DOptions
    writer.operator(schema.BuiltinOperator.CONV_2D, 4, [source, kernel, bias], [result], options, form)
    shown = (
        rng.integers(-32768, 32768, (1, 8, 6, 3), np.int16) if wide else rng.integers(0, 256, (1, 8, 6, 3), np.uint8)
    )
    content = writer.finish([source], [result])
    judged(content, shown, tmp_path / "one.tflite", spans=True)
    file = tmp_path / "one.tflite"
    network = read_network(file, content, schema)
    assert "steps" in prove(file, content, network, convert(file, network), convert(file, network, apart=True))


def test_the_proof_itself_finds_an_operator_that_is_converted_wrongly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = as_file(CASES["mean of 3 x 3"])
    file = tmp_path / "one.tflite"
    network = read_network(file, content, schema)
    assert "within" in prove(file, content, network, convert(file, network), convert(file, network, apart=True))
    monkeypatch.setitem(OPERATORS, "AVERAGE_POOL_2D", OPERATORS["RELU"])  # type: ignore[misc]
    with pytest.raises(ModelFileError, match=r"AVERAGE_POOL_2D 'result0' gives \[1, 8, 6, 3\], LiteRT \[1, 4, 3, 3\]"):
        prove(file, content, network, convert(file, network), convert(file, network, apart=True))


def test_every_operator_that_is_read_is_tried_here() -> None:
    elsewhere = {"QUANTIZE", "DEQUANTIZE", "SHAPE", "LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT", "SELECT", "SELECT_V2",
                 "POW", "LOG", "SQRT", "RSQRT", "REDUCE_PROD"}  # fmt: skip
    assert {case.code for case in CASES.values()} | elsewhere == set(OPERATORS)
