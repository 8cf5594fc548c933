"""Where the time of a run goes, and `vigie models bench` that shows it, on a real (tiny) model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support import models
from vigie.models import load_bundle
from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.engines.layer_times import advice, layer_times, sum_up
from vigie_devkit.cli import main
from vigie_devkit.models.importer import import_model


def event(name: str, operator: str, us: int, numbers: str = "float") -> dict[str, object]:
    args = {"provider": "CPUExecutionProvider", "op_name": operator, "input_type_shape": [{numbers: [1]}]}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": us, "args": args}


def test_events_are_summed_up_by_layer_slowest_first() -> None:
    events = [event("a", "Conv", 100), event("b", "Relu", 300), event("a", "Conv", 500), {"cat": "Session", "dur": 9}]
    found = sum_up(events, runs=2)
    assert [(one.name, one.operator, one.ms, one.share) for one in found] == [
        ("a", "Conv", 0.3, 0.6667),
        ("b", "Relu", 0.15, 0.3333),
    ]


@pytest.mark.parametrize(
    ("operator", "precision", "words"),
    [
        ("DequantizeLinear", "int8", "converts between number types"),
        ("Transpose", "fp32", "moves numbers about"),
        ("Sigmoid", "fp32", "train with ReLU"),
        ("Conv", "int8", "in float though the variant is int8"),
    ],
)
def test_advice_names_what_stands_out(operator: str, precision: str, words: str) -> None:
    found = sum_up([event("x", operator, 250), *(event(f"r{n}", "Relu", 250) for n in range(3))], runs=1)
    assert [words in one for one in advice(found, precision)] == [True]


def test_an_engine_that_does_not_tell_its_layers_has_none(tmp_path: Path) -> None:
    file = models.save(models.yolox((64, 96)), tmp_path)
    bundle = load_bundle(import_model(file, tmp_path / "tiny", labels=list(models.NAMES)))
    tensor = np.zeros((64, 96, 3), np.uint8)
    assert layer_times(bundle, Candidate("openvino", "openvino", "CPU", "fp32", 1), tensor) == ()
    found = layer_times(bundle, cpu_candidate("fp32", 1), tensor)
    assert sum(one.share for one in found) == pytest.approx(1.0, abs=0.01)
    assert all(one.ms >= 0 for one in found)


@pytest.mark.timeout(300)
def test_the_command_prints_one_object_with_every_candidate_and_the_choice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = models.save(models.yolox((64, 96)), tmp_path)
    bundle = import_model(file, tmp_path / "tiny", labels=list(models.NAMES))
    code = main(["models", "bench", str(bundle), "--engines", "onnxruntime", "--processes", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["chosen"] in {one["candidate"] for one in told["candidates"]}
    assert all(one["parity"]["agreement"] == 1.0 and one["proof"]["verdict"] == "full" for one in told["candidates"])
    assert told["slowest"]
    assert told["energy"] == "unavailable" or told["candidates"][0]["figures"]["joules"] is not None
