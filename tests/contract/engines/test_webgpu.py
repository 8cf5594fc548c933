"""WebGPU on a software driver: the whole path of a GPU engine, without a GPU. Its speed says nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import onnx
import pytest

from support import models
from support.checkout import ROOT
from support.engines import VULKAN_SOFTWARE, needs, webgpu_python
from vigie.models import Bundle, load_bundle
from vigie_devkit.models.importer import import_model

pytestmark = needs("webgpu")
TRIAL = ROOT / "tests/support/engine_trial.py"
LIMIT_S = 400


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("webgpu")
    file = models.save(models.yolox((64, 64)), folder)
    return load_bundle(import_model(file, folder / "tiny", family="yolox", trust=True))


def with_software_driver(**more: str) -> dict[str, str]:
    return {**os.environ, **VULKAN_SOFTWARE, **more}


def trial(what: str, bundle: Bundle, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [webgpu_python(), TRIAL, what, str(bundle.folder), "webgpu", "GPU"],
        env=environment | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_webgpu_agrees_with_the_reference_and_proves_that_it_ran_on_a_software_driver(bundle: Bundle) -> None:
    found = trial("run", bundle, with_software_driver())
    assert found["provider"] == "WebGpuExecutionProvider", found
    assert found["apart"] <= 1e-3 * max(1.0, found["span"])
    assert found["verdict"] == "emulated", found
    assert found["placed"]["WebGpuExecutionProvider"] > 0
    assert "its speed says nothing" in found["reason"]


def test_without_any_driver_it_is_refused_and_never_the_cpu(bundle: Bundle, tmp_path: Path) -> None:
    nothing = tmp_path / "no-driver.json"
    found = trial("run", bundle, with_software_driver(VK_ICD_FILENAMES=str(nothing), VK_DRIVER_FILES=str(nothing)))
    assert found["error"] == "ProviderError"
    assert "Vulkan sees no GPU here; put its driver into the image" in found["text"]


def test_a_killed_gpu_process_costs_a_run_and_is_said(bundle: Bundle) -> None:
    found = trial("kill", bundle, with_software_driver())
    assert (found["error"], found["alive"]) == ("EngineDiedError", False)
    assert "SIGKILL" in found["text"]


def test_a_gpu_run_that_takes_too_long_ends_its_process(bundle: Bundle) -> None:
    found = trial("hang", bundle, with_software_driver())
    assert (found["error"], found["alive"]) == ("EngineHungError", False)


def test_it_is_measured_and_judged_like_any_engine_and_kept_out_because_it_is_emulated(bundle: Bundle) -> None:
    words = ["models", "bench", str(bundle.folder), "--emulation", "--processes", "1", "--json"]
    done = subprocess.run(
        [webgpu_python(), "-m", "vigie_devkit", *words],
        env=with_software_driver(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    lines = {line["candidate"]: line for line in result["candidates"]}
    line = next(line for name, line in lines.items() if name.startswith("webgpu:GPU/"))
    assert line["parity"]["passed"], line
    assert line["proof"]["verdict"] == "emulated"
    assert line["why_not"] == "runs in emulation here, so its speed says nothing"
    assert result["chosen"].startswith("cpu/")


def test_without_emulation_a_software_driver_is_no_candidate_and_the_reason_names_it(bundle: Bundle) -> None:
    code = (
        "import sys, json; from pathlib import Path; from vigie.models import load_bundle\n"
        "from vigie.runtimes.choosing.candidates_here import candidates_here\n"
        "here = candidates_here(load_bundle(Path(sys.argv[1])))\n"
        "print(json.dumps([[one.key for one in here.candidates], [[r.key, r.reason] for r in here.lacking]]))"
    )
    done = subprocess.run(
        [webgpu_python(), "-c", code, str(bundle.folder)],
        env=with_software_driver(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    keys, lacking = json.loads(done.stdout)
    assert not [key for key in keys if key.startswith("webgpu")]
    if not Path("/dev/dri").exists():
        assert ["webgpu:GPU", "there is no GPU, only SwiftShader, a software driver, for tests"] in lacking


def test_the_tiny_model_has_convolutions(bundle: Bundle) -> None:
    """Or the tests above would prove little."""
    graph = onnx.load(bundle.variant(next(iter(bundle.card.variants))).file).graph
    assert sum(node.op_type == "Conv" for node in graph.node) >= 3
