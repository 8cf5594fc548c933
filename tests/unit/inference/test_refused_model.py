"""A model that was refused is tried again when its files have changed; meanwhile nothing claims to serve."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.inference import inference
from support.modules import until
from support.tiny_bundle import tiny_bundle
from vigie_inference.config import ModelConfig
from vigie_inference.refused_model import RefusedModel


async def test_a_model_refused_at_start_serves_once_its_file_is_whole_again(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle").folder
    whole = (bundle / "fp32.onnx").read_bytes()
    async with inference(tmp_path / "run") as bench:
        await bench.serve_folder(bundle)
        await until(lambda: bench.runtime().get("serving"), timeout_s=60)
    (bundle / "fp32.onnx").write_bytes(whole[: len(whole) // 2])
    async with inference(tmp_path / "run") as bench:
        acknowledged = await bench.desire(model={"path": str(bundle)})
        assert acknowledged["model"]["ac"] == 400
        assert "sha256" in acknowledged["model"]["ad"]
        await until(lambda: not bench.runtime().get("serving"), timeout_s=30)
        assert bench.reported().get("model_state") is None
        assert "sha256" in bench.service.health.missing()["inference.model"]
        (bundle / "fp32.onnx").write_bytes(whole)
        await until(lambda: bench.reported()["model"].get("ac") == 200, timeout_s=60, what="served again")
        await until(lambda: bench.runtime().get("serving"), timeout_s=60)
        assert "inference.model" not in bench.service.health.missing()


async def test_a_refused_change_is_taken_later_and_the_former_model_serves_meanwhile(tmp_path: Path) -> None:
    first, later = tiny_bundle(tmp_path / "first").folder, tmp_path / "later"
    async with inference(tmp_path / "run") as bench:
        await bench.serve_folder(first)
        acknowledged = await bench.desire(model={"path": str(later)})
        assert acknowledged["model"]["ac"] == 400
        assert bench.reported()["model"]["value"]["path"] == str(first)
        shutil.copytree(first, later)
        await until(lambda: bench.reported()["model"].get("ac") == 200, timeout_s=60, what="the copy serves")
        assert bench.reported()["model"]["value"]["path"] == str(later)


def test_files_that_still_change_are_left_alone_and_the_same_ones_are_not_tried_twice(tmp_path: Path) -> None:
    refused = RefusedModel()
    assert not refused.look(), "nothing was refused"
    refused.remember(ModelConfig(name="parts"), [tmp_path / "own", tmp_path / "shipped"])
    assert not refused.look()
    (tmp_path / "own/parts").mkdir(parents=True)
    for step in range(3):
        (tmp_path / "own/parts/fp32.onnx").write_bytes(b"x" * (step + 1))
        assert not refused.look(), "it is still being copied"
    assert refused.look()
    assert not refused.look()
    refused.forget()
    (tmp_path / "own/parts/fp32.onnx").write_bytes(b"other")
    assert not refused.look()
