"""The live status: what it tells, in how many columns."""

from __future__ import annotations

import io

import pytest

from support.exposition import delays, sample
from vigie_devkit.local.metrics import Tally
from vigie_devkit.local.reasons import left_out
from vigie_devkit.local.status import Status

LABELS = ["cameras", "stages", "delay", "model", "seen now", "left out", "upstream"]
CAMERAS = ["dock-1", "dock-2", "a-camera-with-a-long-name-by-the-gate"]


def tally(frames: int, *, serving: bool = True, measured: float = 0.45) -> Tally:
    found = Tally()
    cameras = [sample("vigie_frames_captured_total", frames * 30, camera=name) for name in CAMERAS]
    cameras += [sample("vigie_camera_state", 1, camera="dock-1", state="streaming")]
    cameras += [sample("vigie_camera_state", 1, camera="dock-2", state="failed")]
    found.add(
        "camera", 1, [*cameras, sample("vigie_items_dropped_total", 7, camera="dock-1", reason="consumer_behind")]
    )
    facts = {"provider": "OpenVINO", "variant": "int8", "engine": "openvino", "device": "CPU", "threads": "2"}
    inference = [sample("vigie_frames_inferred_total", frames * 30, camera="dock-1")]
    if serving:
        inference += [sample("vigie_runtime_info", 1, **facts), sample("vigie_runtime_measured_ratio", measured)]
    found.add("inference", 2, inference)
    found.add("preprocess", 4, [sample("vigie_frames_preprocessed_total", frames * 30, camera="dock-1")])
    found.add(
        "sync",
        3,
        [
            sample("vigie_items_committed_total", frames * 30),
            sample("vigie_detections_committed_total", frames * 60, label="bolt"),
            sample("vigie_upstream_messages_total", 40),
            sample("vigie_ledger_backlog", 3),
            *delays(),
        ],
    )
    return found


def after_two_looks(**options: object) -> tuple[Status, Tally]:
    status = Status(io.StringIO(), CAMERAS, "conveyor-parts")
    last = tally(2, **options)  # type: ignore[arg-type]
    status.take(tally(1), 0.0)
    status.take(last, 1.0)
    return status, last


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_left_out(width: int) -> None:
    status, last = after_two_looks()
    lines = status.block(last, "running", 65.0, ["sync ended with 1, starting it again: no room on the disk"], width)
    assert max(map(len, lines)) <= width
    assert [line[2:10].strip() for line in lines if line.startswith("  ") and line[2] not in " !"] == LABELS
    words = " ".join(" ".join(lines).split())
    for part in (
        "running 1:05",
        "dock-1",
        "streaming, 30.0/s",
        "failed, 30.0/s",
        "stopped, 30.0/s",
        "camera 90.0/s > preprocess 30.0/s after 2.5 ms > inference 30.0/s after 7.5 ms > sync 30.0/s after 14 ms",
        "half of the frames within 14 ms, 95 % within 20 ms",
        "conveyor-parts int8, openvino on CPU, 2 threads, measuring what runs best here: 45%",
        "bolt 2.0 per frame",
        "7 because a newer frame was ready first",
        "40 messages sent, 3 results waiting to be sent",
        "! sync ended with 1",
    ):
        assert part in words, words


def test_a_camera_waits_before_its_first_frame() -> None:
    status = Status(io.StringIO(), ["dock-1"])
    status.take(Tally(), 0.0)
    assert "dock-1 waits for the model, 0.0/s" in "\n".join(status.block(Tally(), "starting", 1.0, [], 80))


def test_a_wide_terminal_has_the_cameras_beside_each_other() -> None:
    status, last = after_two_looks()
    heights = [len(status.block(last, "running", 65.0, [], width)) for width in (60, 80, 200)]
    assert heights[0] > heights[1] > heights[2]


def test_a_model_that_does_not_serve_yet_is_said_to_be_loaded() -> None:
    status, last = after_two_looks(serving=False)
    assert any("conveyor-parts: being loaded" in line for line in status.block(last, "starting", 1.0, [], 80))
    status, last = after_two_looks(measured=1.0)
    assert not any("measuring" in line for line in status.block(last, "running", 1.0, [], 80))


def test_the_same_in_one_line_where_there_is_no_terminal() -> None:
    status, last = after_two_looks()
    line = status.line(last, "running", 5.0, [])
    assert "\n" not in line
    assert "seen now: bolt 2.0 per frame" in line
    assert "upstream 40 sent, 3 waiting" in line


def test_a_reason_without_words_of_its_own_is_shown_as_it_is() -> None:
    assert left_out({"some_thing_new": 2}) == ["2 some thing new"]
