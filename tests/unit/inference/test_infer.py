"""The inference module, whole, against a hub in memory, real rings and a real (tiny) model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from support import models
from support.inference import AT, FRAME_HW, Bench, apart_from_tracks, inference
from support.inference import picture as random_picture
from support.modules import until
from vigie.contracts.tensors import TensorItem
from vigie.models import load_bundle
from vigie.runtimes import open_engine
from vigie.vision.decoders import make_decoder
from vigie.vision.transform import Transform
from vigie_devkit.models.importer import import_model

HW = (64, 96)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        name: import_model(
            models.save(models.yolox(hw), folder, f"{name}.onnx"), folder / name, name=name, labels=list(models.NAMES)
        )
        for name, hw in (("first", HW), ("second", (96, 96)))
    }


def picture(seed: int, hw: tuple[int, int] = HW) -> np.ndarray:
    return random_picture(seed, hw)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with inference(tmp_path) as running:
        yield running


def expected(bundle: Path, tensor: np.ndarray, score: float, iou: float) -> list[tuple[str, float, list[float]]]:
    """The same by hand: engine, decoder, map back."""
    loaded = load_bundle(bundle)
    with open_engine(loaded) as engine:
        found = make_decoder(loaded.card)(engine.run(tensor), score_min=score, iou_max=iou)
    boxes = Transform(AT.scale_x, AT.scale_y, AT.pad_x, AT.pad_y).to_frame(found.boxes_xyxy, FRAME_HW)
    return [
        (loaded.card.labels[class_id], float(one), box.tolist())
        for class_id, one, box in zip(found.class_ids, found.scores, boxes, strict=True)
    ]


async def test_a_tensor_becomes_detections_in_pixels_of_the_frame(bench: Bench, bundles: dict[str, Path]) -> None:
    spec = await bench.serve(bundles["first"], score=0.3)
    tensor = picture(1)
    bench.send(tensor, spec.version)
    [result] = await until(bench.results)
    wanted = expected(bundles["first"], tensor, 0.3, 0.45)
    assert wanted, "the tiny model sees nothing: the test would prove nothing"
    assert [found.label for found in result.detections] == [label for label, _, _ in wanted]
    np.testing.assert_allclose([found.box_xyxy for found in result.detections], [box for *_, box in wanted], atol=0.01)
    np.testing.assert_allclose([found.score for found in result.detections], [s for _, s, _ in wanted], atol=1e-4)
    assert (result.camera, result.trace, result.model) == ("dock", "dock-0badc0de-1", spec.version)
    assert result.timings.inferred_ms >= result.timings.inference_ms > 0


async def test_the_published_spec_is_that_of_the_bundle(bench: Bench, bundles: dict[str, Path]) -> None:
    spec = await bench.serve(bundles["second"])
    assert (spec.size_hw, spec.align, spec.pad_value) == ((96, 96), "top_left", 114)


async def test_score_and_classes_of_the_twin_apply_without_loading_the_model_again(
    bench: Bench, bundles: dict[str, Path]
) -> None:
    spec = await bench.serve(bundles["first"], score=0.3)
    tensor = picture(1)
    bench.send(tensor, spec.version)
    [everything] = await until(bench.results)
    label = everything.detections[0].label
    await bench.serve(bundles["first"], score=0.3, classes=[label])
    bench.send(tensor, spec.version)
    [_, one_class] = await until(lambda: bench.results() if len(bench.results()) == 2 else None)
    wanted = [found for found in everything.detections if found.label == label]
    assert wanted == apart_from_tracks(one_class.detections)
    await bench.serve(bundles["first"], score=1.0)
    bench.send(tensor, spec.version)
    *_, nothing = await until(lambda: bench.results() if len(bench.results()) == 3 else None)
    assert nothing.detections == []


async def test_a_class_that_the_model_does_not_know_is_refused_with_its_path(
    bench: Bench, bundles: dict[str, Path]
) -> None:
    spec = await bench.serve(bundles["first"], score=0.3)
    version = bench.hub.set_desired(
        "inference", {"model": {"path": str(bundles["first"])}, "score": 0.3, "classes": ["bolt", "unicorn"]}
    )
    refused = await until(
        lambda: found if (found := bench.reported().get("classes", {})).get("av") == version else None
    )
    assert refused["ac"] == 400
    assert "$.classes[1]" in refused["ad"]
    assert "unicorn" in refused["ad"]
    assert "bolt, nut, washer" in refused["ad"]
    bench.send(picture(1), spec.version)
    assert await until(bench.results)


async def test_a_bundle_whose_checksum_is_wrong_is_refused_and_the_former_serves_on(
    bench: Bench, bundles: dict[str, Path], tmp_path: Path
) -> None:
    spec = await bench.serve(bundles["first"], score=0.3)
    bad = tmp_path / "bad"
    bad.mkdir()
    for file in bundles["second"].iterdir():
        (bad / file.name).write_bytes(file.read_bytes())
    with next(bad.glob("*.onnx")).open("ab") as file:
        file.write(b"\0")
    version = bench.hub.set_desired("inference", {"model": {"path": str(bad)}})
    refused = await until(lambda: found if (found := bench.reported().get("model", {})).get("av") == version else None)
    assert refused["ac"] == 400
    assert "sha256" in refused["ad"]
    bench.send(picture(1), spec.version)
    assert await until(bench.results)


async def test_tensors_of_the_former_model_are_answered_after_a_change_and_unknown_ones_are_counted(
    bench: Bench, bundles: dict[str, Path]
) -> None:
    first = await bench.serve(bundles["first"], score=0.3)
    second = await bench.serve(bundles["second"], score=0.3)
    bench.send(picture(1), first.version)
    bench.send(picture(2, (96, 96)), second.version)
    bench.send(picture(3), "somebody-else/000000000000")
    former, new = await until(lambda: bench.results() if len(bench.results()) == 2 else None)
    assert (former.model, new.model) == (first.version, second.version)
    await until(lambda: bench.dropped("spec_mismatch") == 1)


async def test_without_a_model_the_module_is_up_not_ready_and_says_what_to_do(bench: Bench) -> None:
    bench.hub.set_desired("inference", {})
    missing = await until(lambda: bench.service.health.missing().get("inference.model"))
    assert "desired property 'model'" in missing
    bench.send(picture(1), "any/000")
    await until(lambda: bench.dropped("no_model") == 1)
    status, reply = await asyncio.to_thread(bench.hub.invoke, "inference", "get_model")
    assert status == 409
    assert "no model is serving" in str(reply)


async def test_a_tensor_that_was_replaced_in_the_meantime_is_counted_not_inferred(
    bench: Bench, bundles: dict[str, Path]
) -> None:
    spec = await bench.serve(bundles["first"], score=0.3)
    stale = bench.ring.write(picture(1))
    for seed in range(2, 9):
        bench.ring.write(picture(seed))
    bench.tensors.send(
        TensorItem(
            "dock", 1, "t", "2026-01-01T00:00:00+00:00", 0, FRAME_HW, AT, spec.version, stale, 1.0, keep=False
        )
    )  # fmt: skip
    await until(lambda: bench.dropped("overwritten") == 1)
    assert bench.results() == []


async def test_the_method_tells_model_runtime_and_labels(bench: Bench, bundles: dict[str, Path]) -> None:
    spec = await bench.serve(bundles["first"])
    status, reply = await asyncio.to_thread(bench.hub.invoke, "inference", "get_model")
    told = msgspec.to_builtins(reply)
    assert status == 200
    assert (told["provider"], told["variant"]) == ("CPUExecutionProvider", "fp32")
    assert told["input_spec"]["version"] == spec.version
    assert list(told["labels"]) == list(models.NAMES)
