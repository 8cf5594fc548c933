"""The user's loop really runs, and what is said of it and of Vigie follows from counts."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie_devkit.bench.beside import Loop, figures, user_loops
from vigie_devkit.bench.light_model import write_light_model
from vigie_devkit.bench.window import MeasuredWindow
from vigie_devkit.local.product import ProductError

LOOPS = {
    "plain loop, 1 thread": Loop(70.0, 14.0),
    "plain loop, default threads": Loop(100.0, 19.0),
    "pooled loop": Loop(150.0, 12.0),
}


def _items(**counts: int) -> list[DetectionsItem]:
    timings = StageTimings(preprocessed_ms=2.0, inferred_ms=15.0, inference_ms=8.0, committed_ms=90.0, received_ms=20.0)
    return [
        DetectionsItem(camera, 0, f"{camera}-{number}", "2026-11-20T20:00:00Z", number, (2, 2), "m", [], timings)
        for camera, count in counts.items()
        for number in range(count)
    ]


def _window(committed: int) -> MeasuredWindow:
    return MeasuredWindow(
        begun_ns=0, seconds=2.0, captured=committed, committed=committed, dropped={}, messages=committed, used={},
        model_s=1.0, source_s=1.0,
    )  # fmt: skip


def test_each_of_the_user_s_loops_gives_frames_of_a_video_that_is_shorter_than_the_run(tmp_path: Path) -> None:
    video, model = tmp_path / "short.mp4", write_light_model(tmp_path / "light.onnx")
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height = 64, 48
        for shade in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade * 40, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    loops = user_loops(video, model, 0.3)
    assert set(loops) == set(LOOPS)
    assert all(loop.fps > 0 and loop.cpu_ms > 0 for loop in loops.values())


def test_a_loop_that_cannot_read_its_video_is_an_error_and_no_figure(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="did not run"):
        user_loops(tmp_path / "none.mp4", write_light_model(tmp_path / "light.onnx"), 0.1)


def test_ours_is_compared_with_both_loops() -> None:
    rows = {one.name: one for one in figures("max-1", LOOPS, _window(280), _items(a=280))}
    assert rows["over the plain loop"].value == pytest.approx(1.4)
    assert rows["over the pooled loop"].value == pytest.approx(140 / 150)
    assert "furthest from a fair share" not in rows


def test_the_camera_that_gets_least_is_told_as_a_share_of_what_is_fair() -> None:
    rows = {one.name: one for one in figures("full-4", LOOPS, _window(200), _items(a=50, b=50, c=40, d=60))}
    assert rows["furthest from a fair share"].value == pytest.approx(20.0)
    assert rows["furthest from a fair share"].note == "a 25.0, b 25.0, c 20.0, d 30.0"
    assert rows["capture to sync, p95"].value == 20.0


def test_a_machine_that_others_keep_busy_gives_no_verdict() -> None:
    starved = {**LOOPS, "plain loop, 1 thread": Loop(4.3, 26.0)}
    rows = {one.name: one for one in figures("max-1", starved, _window(280), _items(a=280))}
    assert rows["over the plain loop"].floor is None
    assert rows["over the plain loop"].note == (
        "not a comparison: the machine was busy, a loop of one thread got 0.11 of a CPU"
    )
