"""Frames of a camera that another model serves are fitted to that one's input."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec

from support.modules import until
from support.preprocess import SPEC, picture, preprocess
from vigie.contracts.inputspec import NamedSpec, SampledSpec
from vigie.frames import CursorWriter, RingPool

OTHER = NamedSpec("gate", "gate-2/def", (32, 48), "stretch", 0, False, ("dock",))
TRIED = SampledSpec("gate-3/fed", (16, 16), "stretch", 0, 1, cameras=("dock",), named="gate")
MAIN_TRIED = SampledSpec("model-2/bcd", (16, 16), "stretch", 0, 1)


async def test_a_named_model_gets_its_cameras_frames_until_it_serves_no_more(tmp_path: Path) -> None:
    async with preprocess(tmp_path) as bench:
        cursor = CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")
        with closing(cursor), RingPool(bench.folder) as pool:
            bench.specs.send(msgspec.structs.replace(SPEC, others=(OTHER,), also=(TRIED, MAIN_TRIED)))
            await until(lambda: bench.reported().get("input_specs") == {"gate": OTHER.version})
            bench.send_frame(0, picture(1))
            await until(lambda: len(bench.tensors()) >= 2)
            mine, tried = bench.tensors()
            assert (mine.spec_version, mine.named, mine.trial) == (OTHER.version, "gate", False)
            # The main model's trial is left out: it does not see this camera, so there is nothing to compare with.
            assert (tried.spec_version, tried.named, tried.trial) == (TRIED.version, "gate", True)
            with pool.lease(mine.pixels) as tensor:
                assert tensor.shape == (32, 48, 3)

            bench.specs.send(SPEC)
            await until(lambda: not bench.reported().get("input_specs"))
            bench.send_frame(1, picture(2))
            await until(lambda: bench.arrived(1, cursor, pool))
            newest = bench.tensors()[-1]
            assert (newest.spec_version, newest.named) == (SPEC.version, "")
            bench.send_frame(2, picture(3))
            await until(lambda: bench.arrived(2, cursor, pool))
            await until(lambda: not list(bench.folder.rglob("model-gate-*")), what="its rings are given back")


async def test_a_camera_that_no_model_serves_is_told_so_while_another_is_served(tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(OTHER, cameras=("gate",))
    async with preprocess(tmp_path) as bench:
        bench.specs.send(msgspec.structs.replace(SPEC, version="", others=(elsewhere,)))
        await until(lambda: bench.reported().get("input_specs"))
        bench.send_frame(0, picture(1))
        dropped = 'vigie_items_dropped_total{camera="dock",reason="no_input_spec"}'
        await until(lambda: bench.metrics[dropped] == 1)
        assert not bench.tensors()


async def test_a_model_beside_gets_the_same_frame_and_what_it_lacks_is_counted_apart(tmp_path: Path) -> None:
    beside = msgspec.structs.replace(OTHER, cameras=(), beside=True)
    async with preprocess(tmp_path) as bench:
        cursor = CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")
        with closing(cursor), RingPool(bench.folder) as pool:
            bench.specs.send(msgspec.structs.replace(SPEC, others=(beside,)))
            await until(lambda: bench.reported().get("input_specs"))
            for seq in range(3):
                bench.send_frame(seq, picture(seq), keep=True)
                await until(lambda seq=seq: bench.arrived(seq, cursor, pool))
            await until(lambda: len(bench.tensors()) == 6)
        assert sorted((one.seq, one.named, one.beside) for one in bench.tensors()) == [
            (seq, *rest) for seq in range(3) for rest in (("", False), ("gate", True))
        ]
        fitted = 'vigie_frames_preprocessed_total{camera="dock"}'
        assert bench.metrics[fitted] == 3, "a frame counts once, for the camera's own model"
        # Nobody takes them now: the newest waits, per model.
        for seq in range(3, 9):
            bench.send_frame(seq, picture(seq))
        own = 'vigie_items_dropped_total{camera="dock",reason="consumer_behind"}'
        theirs = 'vigie_items_dropped_total{camera="dock/gate",reason="consumer_behind"}'
        await until(lambda: bench.metrics[own] and bench.metrics[theirs], timeout_s=30)


async def test_a_model_on_trial_for_every_frame_does_not_hold_up_the_one_that_serves(tmp_path: Path) -> None:
    async with preprocess(tmp_path) as bench:
        cursor = CursorWriter.open(bench.folder, sender="preprocess", output="tensors", consumer="inference")
        with closing(cursor), RingPool(bench.folder) as pool:
            bench.specs.send(msgspec.structs.replace(SPEC, also=(MAIN_TRIED,)))
            await until(lambda: bench.reported().get("input_spec") == SPEC.version)
            # Inference takes none of them, as one that works on a frame for a second.
            fitted = 'vigie_frames_preprocessed_total{camera="dock"}'
            for seq in range(60):
                bench.send_frame(seq, picture(seq % 5))
                await until(lambda seq=seq: bench.metrics[fitted] == seq + 1)
            # Once it does, the newest frame comes after a handful of older ones.
            await until(lambda: bench.arrived(59, cursor, pool))
            came = [(one.seq, one.trial) for one in bench.tensors()]
        assert len(came) <= 12, came
        tried = [seq for seq, trial in came if trial]
        assert tried, came
        assert {(seq, False) for seq in tried} <= set(came), "a frame on trial has no counterpart to compare with"
