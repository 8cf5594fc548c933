"""The loop of learning, walked: labelled samples become a release that a device fetches from a registry and serves."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from support.checkout import ROOT
from support.inference import inference
from support.registry import registry
from support.releases import UNMEASURED, until_phase

pytest.importorskip("torch", reason="needs PyTorch (training extra)")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("learn", ROOT / "deploy/fleet/learn.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
async def test_what_was_learned_from_samples_is_better_is_pushed_and_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = script()
    with registry(tmp_path / "registry") as address:
        code = learn.learn(
            tmp_path / "work",
            start="conveyor-parts",
            registry=f"oci://{address}/models/parts",
            version="2",
            sizes=(14, 8, 4),
        )
        printed = capsys.readouterr().out
        assert code == 0, printed
        held_back = next(line for line in printed.splitlines() if line.startswith("held back"))
        words = held_back.replace(",", "").split()
        before, after = float(words[words.index("before") - 1]), float(words[words.index("after") - 1])
        assert after > before, held_back
        wanted = json.loads((tmp_path / "work/rollout.json").read_text())["models"]
        wanted["conveyor-parts"]["rollout"] |= {"commit": "immediate", "probation_s": 0}
        async with inference(tmp_path / "module") as bench:
            await bench.serve(ROOT / "shared/models/conveyor-parts", runtime=UNMEASURED)
            await bench.desire(
                model={"path": str(ROOT / "shared/models/conveyor-parts")}, runtime=UNMEASURED, models=wanted
            )
            told = await until_phase(bench, "committed", "rejected", timeout_s=120)
    assert told["phase"] == "committed", told
    assert told["serving"]["version"] == "2"
