"""The preprocess module, whole, against a hub in memory and real rings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from support.modules import until
from support.preprocess import FRAME_HW, SPEC, Bench, item, picture, preprocess
from vigie.contracts.envelope import Envelope
from vigie.contracts.inputspec import InputSpec, SampledSpec
from vigie.contracts.pixels import InlineJpeg, PixelFormat
from vigie.contracts.tensors import TensorItem
from vigie.frames import CursorWriter, RingPool, RingWriter
from vigie.vision.convert import to_bgr
from vigie.vision.planes import planes_of


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with preprocess(tmp_path) as running:
        yield running


async def test_a_frame_becomes_a_tensor_of_the_published_spec(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    frame_bgr = picture(1)
    bench.send_frame(0, frame_bgr)

    [tensor] = await until(bench.tensors)

    assert (tensor.camera, tensor.seq, tensor.trace, tensor.spec_version) == (
        "dock",
        0,
        "dock-0badc0de-0",
        SPEC.version,
    )
    with RingPool(bench.folder) as pool, pool.lease(tensor.pixels) as pixels:
        assert pixels.shape == (64, 96, 3)
        scale = min(64 / 120, 96 / 160)
        expected = cv2.resize(frame_bgr, (round(160 * scale), 64), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(pixels[:, : expected.shape[1]], expected)
        assert (pixels[:, expected.shape[1] :] == 114).all()
    assert tensor.transform.scale_y == pytest.approx(64 / 120)
    assert tensor.preprocessed_ms >= 0


async def test_a_frame_in_planes_becomes_the_tensor_that_its_bgr_would(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    pixel_format = PixelFormat("i420", FRAME_HW, "bt709", "full")
    smooth = cv2.GaussianBlur(picture(1), (0, 0), 4)
    packed = cv2.cvtColor(smooth, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    with RingWriter.open(bench.folder, "planes", slot_bytes=packed.size, slots=4, formats=True) as ring:
        with ring.frame_slot(pixel_format) as view:
            assert view is not None
            view.array[...] = packed
            bench.frames.send(item(0, view.commit()))
        [tensor] = await until(bench.tensors)
    with RingPool(bench.folder) as pool, pool.lease(tensor.pixels) as pixels:
        expected = cv2.resize(to_bgr(planes_of(packed, pixel_format)), (85, 64), interpolation=cv2.INTER_LINEAR)
        assert np.abs(pixels[:, :85].astype(int) - expected).mean() <= 1


async def test_without_a_spec_a_live_frame_is_dropped_with_its_reason(bench: Bench) -> None:
    bench.send_frame(0, picture(1))
    await until(lambda: bench.metrics['vigie_items_dropped_total{camera="dock",reason="no_input_spec"}'] == 1)
    assert bench.tensors() == []


async def test_a_frame_to_keep_waits_for_the_spec(bench: Bench) -> None:
    bench.send_frame(0, picture(1), keep=True)
    bench.specs.send(SPEC)
    [tensor] = await until(bench.tensors)
    assert tensor.keep


async def test_a_new_spec_is_followed_from_the_next_frame_on(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    bench.send_frame(0, picture(1))
    await until(lambda: len(bench.tensors()) == 1)
    other = InputSpec("model-2/def", (32, 32), "stretch", 0)
    bench.specs.send(other)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == other.version)
    bench.send_frame(1, picture(2))
    first, second = await until(lambda: bench.tensors() if len(bench.tensors()) == 2 else None)
    assert (first.pixels.shape, second.pixels.shape) == ((64, 96, 3), (32, 32, 3))
    assert (first.spec_version, second.spec_version) == (SPEC.version, other.version)
    with RingPool(bench.folder) as pool, pool.lease(first.pixels) as still_there:
        assert still_there.shape == (64, 96, 3)


async def test_a_frame_that_was_replaced_in_the_meantime_is_counted_not_used(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    stale = bench.camera.write(picture(1))
    assert stale is not None
    for seed in range(2, 7):
        bench.camera.write(picture(seed))
    bench.frames.send(item(0, stale))
    await until(lambda: bench.metrics['vigie_items_dropped_total{camera="dock",reason="overwritten"}'] == 1)
    assert bench.tensors() == []


async def test_boxes_of_a_scaled_inline_frame_map_to_the_captured_frame(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    half = cv2.resize(picture(3), (80, 60))
    jpeg = cv2.imencode(".jpg", half)[1].tobytes()
    bench.frames.send(item(0, InlineJpeg(jpeg=jpeg, shape=(60, 80, 3), source_hw=FRAME_HW)))
    [tensor] = await until(bench.tensors)
    # The captured frame's right edge lies where the scaled picture's right edge does.
    assert tensor.transform.scale_x * FRAME_HW[1] == pytest.approx(85, abs=1)


async def test_a_picture_that_is_none_is_dropped_and_the_next_one_goes_through(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    bench.frames.send(item(0, InlineJpeg(jpeg=b"no jpeg", shape=(60, 80, 3), source_hw=FRAME_HW)))
    bench.send_frame(1, picture(1))
    [tensor] = await until(bench.tensors)
    assert tensor.seq == 1
    assert bench.metrics['vigie_items_dropped_total{camera="dock",reason="undecodable"}'] == 1


async def test_a_message_that_does_not_decode_is_counted_and_the_next_one_goes_through(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    bench.frames.raw(b"{")
    bench.frames.raw(b'{"schema":"vigie.frames/9","module":"camera","boot":"0badc0de","sent":77,"items":[]}')
    bench.send_frame(1, picture(1))
    await until(bench.tensors)
    assert bench.metrics['vigie_messages_rejected_total{input="frames"}'] == 2


async def test_the_method_tells_the_spec_that_is_followed(bench: Bench) -> None:
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    status, reply = await asyncio.to_thread(bench.hub.invoke, "preprocess", "get_input_spec")
    assert (status, msgspec.convert(msgspec.to_builtins(reply)["input_spec"], InputSpec)) == (200, SPEC)


async def test_a_ring_that_a_former_start_left_under_another_size_is_removed(bench: Bench) -> None:
    RingWriter.open(bench.folder, "tensors-9x9-4", slot_bytes=243, slots=4).close()
    assert list(bench.folder.glob("tensors-9x9-4*"))
    bench.specs.send(SPEC)
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    bench.send_frame(0, picture(1))
    await until(bench.tensors)
    assert not list(bench.folder.glob("tensors-9x9-4*"))


async def test_a_share_of_the_frames_is_fitted_for_a_model_on_trial_too(bench: Bench) -> None:
    also = SampledSpec("model-2/def", (32, 32), "stretch", 0, every=3)
    bench.specs.send(msgspec.structs.replace(SPEC, also=(also,)))
    await until(lambda: bench.hub.reported("preprocess").get("input_spec") == SPEC.version)
    with closing(
        CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")
    ) as cursor:

        def arrived(seq: int, *, trial: bool) -> TensorItem | None:
            for message in bench.hub.upstream:
                if message.output == "tensors":
                    envelope = msgspec.json.decode(message.body, type=Envelope[TensorItem])
                    cursor.advance(envelope.boot, envelope.sent)
            return next((one for one in bench.tensors() if (one.seq, one.trial) == (seq, trial)), None)

        for seq in range(7):
            bench.send_frame(seq, picture(seq))
            await until(lambda seq=seq: arrived(seq, trial=False))
        trial = await until(lambda: arrived(6, trial=True))
        assert (trial.spec_version, trial.keep) == ("model-2/def", False)
        with RingPool(bench.folder) as pool, pool.lease(trial.pixels) as pixels:
            np.testing.assert_array_equal(pixels, cv2.resize(picture(6), (32, 32), interpolation=cv2.INTER_LINEAR))

        bench.specs.send(SPEC)
        for seq in range(7, 100):
            bench.send_frame(seq, picture(seq))
            await until(lambda seq=seq: arrived(seq, trial=False))
            if not list(bench.folder.glob("trial-*")):
                break
    assert not list(bench.folder.glob("trial-*")), "the memory of a trial that has ended is not given back"
