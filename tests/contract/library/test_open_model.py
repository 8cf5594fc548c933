"""The library's face: what comes out is what the engine and decoder give, in pixels of the frame, from many threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from support import models
from vigie import Selection, open_model
from vigie.errors import BundleError, ImageShapeError, ModelFileError, ProviderError
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.letterbox import letterbox_into
from vigie_devkit.models import import_model
from vigie_devkit.models.pictures import scene

SIZE = (200, 340)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    return import_model(models.save(models.yolox(), folder), folder / "tiny", labels=models.NAMES)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIGIE_LIBRARY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def by_hand(bundle: Path, frame_bgr: np.ndarray) -> list[tuple[str, float, list[float]]]:
    loaded = load_bundle(bundle)
    card = loaded.card
    tensor = np.empty((card.input.height, card.input.width, 3), np.uint8)
    transform = letterbox_into(frame_bgr, tensor, align=card.input.align, pad_value=card.input.pad_value)
    with open_engine(loaded) as engine:
        found = make_decoder(card)(engine.run(tensor), score_min=card.thresholds.score_min, iou_max=0.45)
    boxes = transform.to_frame(found.boxes_xyxy, frame_bgr.shape[:2])
    names = [card.labels[index] for index in found.class_ids]
    return list(zip(names, found.scores.tolist(), boxes.tolist(), strict=True))


def test_a_frame_of_any_size_gives_detections_in_its_own_pixels(bundle: Path) -> None:
    frame = scene(SIZE, seed=4)
    expected = by_hand(bundle, frame)
    with open_model(bundle) as model:
        found = model(frame)
        assert model.labels == models.NAMES
    assert len(found) == len(expected) > 0
    assert found.frame_hw == SIZE
    for one, (name, score, box) in zip(found, expected, strict=True):
        assert one.label == name
        assert one.score == pytest.approx(score, abs=1e-3)
        assert one.box_xyxy == pytest.approx(tuple(box), abs=0.02)
    assert str(found).startswith(f"{expected[0][0]} {expected[0][1]:.2f} at [")


def test_many_threads_and_many_runs_give_what_one_gives(bundle: Path) -> None:
    frames = [scene(SIZE, seed=seed) for seed in range(8)]
    with open_model(bundle, threads=1) as model:
        alone = [model(frame).scores.tolist() for frame in frames]
    with open_model(bundle, threads=1, runs=3) as model:
        assert [found.scores.tolist() for found in model.map(iter(frames))] == alone
        seen: dict[int, list[float]] = {}
        threads = [
            threading.Thread(target=lambda at=at: seen.update({at: model(frames[at]).scores.tolist()}))
            for at in range(len(frames))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert [seen[at] for at in range(len(frames))] == alone


def test_thresholds_and_classes_narrow_what_is_found(bundle: Path) -> None:
    frame = scene(SIZE, seed=4)
    with open_model(bundle) as model:
        everything, strong = model(frame, score_min=0.01), model(frame, score_min=0.5)
        nuts = model(frame, score_min=0.01, classes=["nut"])
        with pytest.raises(ValueError, match=r"model tiny has no class bolts; see model\.labels"):
            model(frame, classes=["bolts"])
    assert len(everything) > len(strong)
    assert set(nuts.names) == {"nut"}


def test_the_runtime_says_what_runs_why_and_on_request_its_proof(bundle: Path) -> None:
    with open_model(bundle, threads=1) as model:
        assert (model.runtime.candidate, model.runtime.provider) == ("cpu/fp32/1t", "CPUExecutionProvider")
        assert model.runtime.why[0].startswith("not measured on this machine")
        assert model.runtime.proof is None
        proven = model.prove()
        assert proven.proof is not None
        assert proven.proof.verdict == "full"
        assert "proof: full" in str(model.runtime)


def test_measured_once_it_is_known_the_next_time(bundle: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigie.library import serve
    from vigie.runtimes.measuring.measure import MeasurePlan

    monkeypatch.setattr(serve, "_PLAN", MeasurePlan(processes=1, runs=8, seconds=0.1, nice=0))
    only = Selection(engines=("onnxruntime",), providers=("cpu",))
    with open_model(bundle, measure=True, require=only, threads=1) as model:
        first = model.runtime
    assert first.measured_at
    assert first.why[0].startswith("latency: cpu/fp32/1t takes ")
    monkeypatch.setattr(serve, "measure_all", None)  # a second measuring would fail
    with open_model(bundle, require=only, threads=1, cache=cache) as model:
        assert model.runtime.why == first.why


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"variant": "int8"}, BundleError, "int8"),
        ({"require": Selection(providers=("cuda",))}, ProviderError, "required provider cuda"),
        ({"runs": 0}, ValueError, "at least 1 frame is inferred at a time"),
    ],
    ids=["variant", "provider", "runs"],
)
def test_what_cannot_serve_is_an_error_and_never_a_fallback(
    bundle: Path, arguments: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        open_model(bundle, **arguments)  # type: ignore[arg-type]  # a table of keyword arguments


def test_a_name_is_looked_up_and_a_wrong_one_lists_what_is_there(bundle: Path) -> None:
    with open_model("tiny", bundles=bundle.parent) as model:
        assert model.card.name == "tiny"
    with pytest.raises(BundleError, match="bundles there: tiny"):
        open_model("tidy", bundles=bundle.parent)


def test_a_bundle_may_be_called_like_the_file_that_it_was_made_of(bundle: Path, tmp_path: Path) -> None:
    with open_model(shutil.copytree(bundle, tmp_path / "best.onnx")) as model:
        assert model.card.name == "tiny"


def test_an_onnx_file_is_imported_by_the_dev_kit_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    file = models.save(models.yolox(), tmp_path, "best.onnx")
    with open_model(file) as model:
        assert model.card.source.file == "best.onnx"
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match=r"broken\.onnx"):
        open_model(tmp_path / "broken.onnx")


def test_a_frame_that_is_none_is_refused_and_the_model_serves_on(bundle: Path) -> None:
    with open_model(bundle) as model:
        with pytest.raises(ImageShapeError):
            model(np.zeros((10, 10), np.uint8))
        assert len(model(scene(SIZE, seed=4)))


def test_importing_the_package_loads_neither_numpy_nor_a_runtime() -> None:
    code = "import sys, vigie; print(sorted({'numpy', 'cv2', 'onnxruntime'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
