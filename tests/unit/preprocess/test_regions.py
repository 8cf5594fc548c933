"""Regions and tiles: several tensors of one frame in one slot, complete or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from support.modules import until
from support.preprocess import FRAME_HW, SPEC, Bench, item, picture, preprocess
from vigie.contracts.inputspec import InputSpec, SampledSpec
from vigie.contracts.pixels import InlineJpeg
from vigie.contracts.tensors import TensorItem
from vigie.frames import CursorWriter, RingPool

TILED = msgspec.structs.replace(SPEC, views=True)
FOUR = {"columns": 2, "rows": 2, "overlap": 0.2}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with preprocess(tmp_path) as running:
        yield running


async def follow(bench: Bench, spec: InputSpec, **region: Any) -> None:
    bench.specs.send(spec)
    version = bench.hub.set_desired("preprocess", {"regions": {"dock": region}})
    await until(lambda: bench.reported().get("regions", {}).get("av") == version)
    assert bench.reported()["regions"]["ac"] == 200, bench.reported()["regions"]
    await until(lambda: bench.reported().get("region_state", {}).get("dock") is not None)
    await until(lambda: bench.reported().get("input_spec") == spec.version)


async def one(bench: Bench) -> TensorItem:
    [tensor] = await until(bench.tensors)
    return tensor


async def settled(bench: Bench) -> dict[str, Any]:
    """What is told of the camera once a frame has come."""
    state: dict[str, Any] = await until(
        lambda: told if (told := bench.reported()["region_state"]["dock"])["state"] != "waiting" else None
    )
    return state


async def test_a_region_alone_is_one_tensor_of_that_part_and_boxes_map_back_into_the_frame(bench: Bench) -> None:
    await follow(bench, SPEC, box=[0.5, 0.25, 1.0, 0.75])
    frame = picture(1)
    bench.send_frame(0, frame)
    tensor = await one(bench)
    assert (tensor.views, tensor.pixels.shape) == ((), (64, 96, 3))
    with RingPool(bench.folder) as pool, pool.lease(tensor.pixels) as pixels:
        np.testing.assert_array_equal(pixels[:64, :85], cv2.resize(frame[30:90, 80:160], (85, 64)))
    assert tensor.transform.scale_x * 80 + tensor.transform.pad_x == pytest.approx(0, abs=1e-6)
    assert tensor.transform.scale_y * 90 + tensor.transform.pad_y == pytest.approx(64, abs=1e-6)


async def test_tiles_and_the_whole_come_in_one_slot_and_one_item(bench: Bench) -> None:
    await follow(bench, TILED, tiles=FOUR | {"merge": "nms"})
    frame = picture(2)
    bench.send_frame(0, frame)
    tensor = await one(bench)
    boxes = [view.box_xyxy for view in tensor.views]
    assert boxes == [(0, 0, 160, 120), (0, 0, 90, 68), (70, 0, 160, 68), (0, 52, 90, 120), (70, 52, 160, 120)]
    assert (tensor.pixels.shape, tensor.merge) == ((5, 64, 96, 3), "nms")
    with RingPool(bench.folder) as pool, pool.lease(tensor.pixels) as pixels:
        np.testing.assert_array_equal(pixels[0, :64, :85], cv2.resize(frame, (85, 64)))
        np.testing.assert_array_equal(pixels[2, :64, :84], cv2.resize(frame[0:68, 70:160], (84, 64)))
        assert (pixels[2, :, 85:] == SPEC.pad_value).all()
    told = await until(
        lambda: state if (state := bench.reported()["region_state"]["dock"])["state"] != "waiting" else {}
    )
    assert told == {"state": "in_force", "frame_hw": [120, 160], "views": 5, "tile_hw": [68, 90], "merge": "nms"}


async def test_an_inference_that_takes_no_tiles_gets_the_region_and_the_twin_says_so(bench: Bench) -> None:
    await follow(bench, SPEC, box=[0, 0, 0.5, 1], tiles=FOUR)
    bench.send_frame(0, picture(3))
    tensor = await one(bench)
    assert (tensor.views, tensor.pixels.shape) == ((), (64, 96, 3))
    told = await until(
        lambda: state if (state := bench.reported()["region_state"]["dock"])["state"] != "waiting" else {}
    )
    assert (told["state"], told["views"]) == ("untiled", 1)


async def test_a_box_that_shows_nothing_is_refused_and_other_cameras_regions_are_taken(bench: Bench) -> None:
    version = bench.hub.set_desired(
        "preprocess", {"regions": {"dock": {"box": [0.6, 0, 0.4, 1]}, "gate": {"box": [0, 0, 0.5, 1]}}}
    )
    told = await until(lambda: found if (found := bench.reported().get("regions", {})).get("av") == version else None)
    assert told["ac"] == 400
    assert "$.regions.dock.box: expected left < right" in told["ad"]
    assert set(told["value"]) == {"gate"}


async def test_no_frame_to_keep_is_lost_to_the_few_slots_of_a_tiled_camera(bench: Bench) -> None:
    await follow(bench, TILED, tiles=FOUR)
    total = 20
    with (
        closing(CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")) as cursor,
        RingPool(bench.folder) as pool,
    ):
        for seq in range(total):
            bench.send_frame(seq, picture(seq), keep=True)
            await until(lambda seq=seq: bench.arrived(seq, cursor, pool))
    assert [tensor.seq for tensor in bench.tensors()] == list(range(total))


async def test_regions_apply_to_the_next_frame_and_their_memory_is_given_back(bench: Bench) -> None:
    await follow(bench, TILED, tiles=FOUR)
    with (
        closing(CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")) as cursor,
        RingPool(bench.folder) as pool,
    ):
        bench.send_frame(0, picture(0))
        await until(lambda: bench.arrived(0, cursor, pool))
        assert list(bench.folder.glob("tiles-5-*"))
        version = bench.hub.set_desired("preprocess", {})
        await until(lambda: bench.reported().get("regions", {}).get("av", version) == version)
        await until(lambda: "dock" not in bench.reported().get("region_state", {}))
        bench.send_frame(1, picture(1))
        await until(lambda: bench.arrived(1, cursor, pool))
        assert bench.tensors()[-1].views == ()
        await until(lambda: not list(bench.folder.glob("tiles-*")))


async def test_a_model_on_trial_gets_the_same_views_as_the_serving_one(bench: Bench) -> None:
    also = SampledSpec("model-2/def", (32, 32), "stretch", 0, every=1, views=True)
    await follow(bench, msgspec.structs.replace(TILED, also=(also,)), tiles=FOUR)
    bench.send_frame(0, picture(4))
    serving, trial = await until(lambda: found if len(found := bench.tensors()) == 2 else None)
    assert (trial.trial, trial.pixels.shape) == (True, (5, 32, 32, 3))
    assert [view.box_xyxy for view in trial.views] == [view.box_xyxy for view in serving.views]


async def test_views_of_a_scaled_inline_frame_are_in_pixels_of_the_captured_one(bench: Bench) -> None:
    await follow(bench, TILED, tiles=FOUR | {"whole": False})
    jpeg = cv2.imencode(".jpg", cv2.resize(picture(3), (80, 60)))[1].tobytes()
    bench.frames.send(item(0, InlineJpeg(jpeg=jpeg, shape=(60, 80, 3), source_hw=FRAME_HW)))
    tensor = await one(bench)
    last = tensor.views[-1]
    assert last.box_xyxy == (68.0, 52.0, 160.0, 120.0)
    assert last.transform.scale_x * 68 + last.transform.pad_x == pytest.approx(0, abs=1e-6)
    assert last.transform.scale_x * 160 + last.transform.pad_x == pytest.approx(86, abs=1)
