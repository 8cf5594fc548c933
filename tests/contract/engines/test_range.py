"""The engine on the oldest and the newest ONNX Runtime that the library is for, besides the one that is pinned."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.checkout import ROOT
from support.engines import engine_python, needs
from support.quantized import conveyor_frames, with_quantized
from vigie.models import Bundle, load_bundle

TRIAL = ROOT / "tests/support/engine_trial.py"
LIMIT_S = 400


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    shipped = load_bundle(ROOT / "shared/models/conveyor-parts")
    folder: Path = tmp_path_factory.mktemp("bundles") / "conveyor"
    return with_quantized(shipped, folder, ["int8-u8s8"], conveyor_frames(shipped, 4))


@pytest.mark.parametrize("variant", ["fp32", "int8-u8s8"])
@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("onnxruntime-oldest", "1.23.2", marks=needs("onnxruntime-oldest")),
        pytest.param("onnxruntime-newest", "1.32.0", marks=needs("onnxruntime-newest")),
    ],
)
def test_the_shipped_detector_runs_and_is_proven(bundle: Bundle, name: str, version: str, variant: str) -> None:
    done = subprocess.run(
        [engine_python(name), TRIAL, "run", str(bundle.folder), "cpu", "CPU", variant],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["version"] == version, found
    assert (found["provider"], found["verdict"]) == ("CPUExecutionProvider", "full"), found
    if variant == "fp32":
        assert found["apart"] <= 2e-3 * max(1.0, found["span"])
    else:
        assert found["integer_kernels"] > 20, "every convolution in integers"
