"""The live status: what it tells, in how many columns."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import termios

import pytest

from support.exposition import delays, sample
from vigie.drop_reason import DropReason
from vigie.ledger.bounds import Drop
from vigie.terminal import columns_of
from vigie_camera.cause import Cause
from vigie_devkit.local.camera_cells import span
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.reasons import FAILURES, REASONS, failure, left_out
from vigie_devkit.local.status import Status, delay_cells, hub_cells

LABELS = ["cameras", "stages", "delay", "model", "seen now", "left out", "upstream", "hub"]
CAMERAS = ["dock-1", "dock-2", "a-camera-with-a-long-name-by-the-gate"]


def tally(frames: int, *, serving: bool = True, measured: float = 0.45, model: str = "") -> MetricTotals:
    found = MetricTotals()
    cameras = [sample("vigie_frames_captured_total", frames * 30, camera=name) for name in CAMERAS]
    cameras += [sample("vigie_camera_state", 1, camera="dock-1", state="streaming")]
    cameras += [sample("vigie_camera_state", 1, camera="dock-2", state="failed")]
    found.add(
        "camera",
        1,
        [
            *cameras,
            sample("vigie_items_dropped_total", 7, camera="dock-1", reason="consumer_behind"),
            sample("vigie_camera_failures_total", 1, camera="dock-2", cause="refused"),
            sample("vigie_hub_connected", 1),
        ],
    )
    facts = {"provider": "OpenVINO", "variant": "int8", "engine": "openvino", "device": "CPU", "threads": "2"}
    inference = [sample("vigie_frames_inferred_total", frames * 30, camera="dock-1"), sample("vigie_hub_connected", 1)]
    if model:
        facts["model"] = model
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
            sample("vigie_hub_connected", 0),
            *delays(),
        ],
    )
    return found


def after_two_looks(**options: object) -> tuple[Status, MetricTotals]:
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
        "failed, 30.0/s, nothing listens there",
        "stopped, 30.0/s",
        "camera 90.0/s > preprocess 30.0/s after 2.5 ms > inference 30.0/s after 7.5 ms > sync 30.0/s after 14 ms",
        "half of the frames within 14 ms, 95 % within 20 ms",
        "conveyor-parts int8, openvino on CPU, 2 threads, measuring what runs best here: 45%",
        "bolt 2.0 per frame",
        "7 because a newer frame was ready first",
        "40 messages sent, 3 results waiting to be sent",
        "2 modules connected, not connected: sync",
        "! sync ended with 1",
    ):
        assert part in words, words


def test_a_camera_waits_before_its_first_frame() -> None:
    status = Status(io.StringIO(), ["dock-1"])
    status.take(MetricTotals(), 0.0)
    assert "dock-1 waits for the model, 0.0/s" in "\n".join(status.block(MetricTotals(), "starting", 1.0, [], 80))


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_camera_without_new_frames_shows_their_age_and_why_it_failed_last(width: int) -> None:
    status, last = after_two_looks()
    status.take(last, 13.0)
    lines = status.block(last, "running", 65.0, [], width)
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    assert "dock-1 streaming, 0.0/s, newest frame 12 s ago" in words
    assert "dock-2 failed, 0.0/s, newest frame 12 s ago, nothing listens there" in words
    assert "dock-2 failed: nothing listens there" in status.line(last, "running", 65.0, [])


def test_a_camera_that_streams_again_keeps_its_last_failure_in_sight() -> None:
    status = Status(io.StringIO(), ["dock"])
    found = MetricTotals()
    for second, (refused, stalled) in enumerate([(0, 0), (1, 0), (1, 1), (1, 1)]):
        failures = [
            sample("vigie_camera_failures_total", count, camera="dock", cause=cause)
            for cause, count in (("refused", refused), ("stalled", stalled))
        ]
        frames = sample("vigie_frames_captured_total", 10 * second + 10, camera="dock")
        found.add("camera", 1, [*failures, frames, sample("vigie_camera_state", 1, camera="dock", state="streaming")])
        status.take(found, float(second))
    assert "dock streaming, 10.0/s, last failure: the stream stopped" in "\n".join(
        status.block(found, "running", 4.0, [], 100)
    )


def test_a_file_that_has_ended_has_no_age() -> None:
    status = Status(io.StringIO(), ["dock"])
    found = MetricTotals()
    frames = sample("vigie_frames_captured_total", 10, camera="dock")
    found.add("camera", 1, [frames, sample("vigie_camera_state", 1, camera="dock", state="finished")])
    status.take(found, 0.0)
    status.take(found, 60.0)
    assert not any(" ago" in line for line in status.block(found, "running", 60.0, [], 100))


@pytest.mark.parametrize(("seconds", "shown"), [(2, "2 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h")])
def test_an_age_is_told_in_its_largest_unit(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_every_cause_of_a_failed_camera_has_words() -> None:
    assert {*Cause, "other"} == set(FAILURES)
    assert failure("some_new_cause") == "some new cause"


def test_every_reason_for_a_frame_left_out_has_words_that_fit_one_and_many() -> None:
    assert {one.value for kind in (Drop, DropReason) for one in kind} == set(REASONS)
    assert [words for words in REASONS.values() if re.search(r"\b(they|their|them)\b", words)] == []
    assert [words for words in REASONS.values() if "_" in words] == []


def test_the_hub_row_tells_who_has_no_link() -> None:
    found = MetricTotals()
    assert hub_cells(found) == ["no module has connected yet"]
    found.add("camera", 1, [sample("vigie_hub_connected", 1)])
    assert hub_cells(found) == ["1 module connected"]
    found.add("viewer", 2, [sample("vigie_hub_connected", 0)])
    assert hub_cells(found) == ["1 module connected", "not connected: viewer"]
    assert "hub: 1 module connected, not connected: viewer" in Status(io.StringIO(), []).line(found, "running", 1.0, [])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_model_changed_by_twin_is_the_one_that_is_shown(width: int) -> None:
    status, last = after_two_looks(model="yolox-nano-2.0.0/0123456789ab")
    words = " ".join(" ".join(status.block(last, "running", 65.0, [], width)).split())
    assert "model yolox-nano-2.0.0 int8, openvino on CPU" in words
    assert "conveyor-parts" not in words
    assert "0123456789ab" not in words


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


def test_the_width_is_that_of_the_terminal_now_whatever_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "132")
    keyboard, screen = pty.openpty()
    with open(keyboard, "rb", buffering=0), open(screen, "w") as stream:  # noqa: PTH123  both are numbers
        for columns in (80, 200, 61):
            fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            assert columns_of(stream) == columns
    assert columns_of(io.StringIO()) == 132


def test_a_terminal_that_nobody_reads_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    keyboard, screen = pty.openpty()
    with open(keyboard, "rb", buffering=0), open(screen, "w") as stream:  # noqa: PTH123  both are numbers
        status = Status(stream, CAMERAS, "conveyor-parts")
        termios.tcflow(screen, termios.TCOOFF)  # Ctrl-S
        for number in range(3):
            status.show(tally(number), phase="running", seconds=number, troubles=[])
        termios.tcflow(screen, termios.TCOON)
        status.show(tally(3), phase="running", seconds=65.0, troubles=[])
        shown = os.read(keyboard, 65_536).decode()
    assert shown.count("running") == 1
    assert "1:05" in shown


def test_before_the_first_frame_there_is_no_delay() -> None:
    assert delay_cells({"p50": None, "p95": None}) == ["no frame yet"]
    assert delay_cells({"p50": 8.5, "p95": 12.0}) == ["half of the frames within 8.5 ms", "95 % within 12 ms"]


def test_a_model_beside_has_a_row_of_its_own_with_its_rate() -> None:
    status, found = Status(io.StringIO(), ["dock"], "parts"), MetricTotals()
    for second in (0, 1):
        facts = {"provider": "CPU", "variant": "fp32", "engine": "onnxruntime", "threads": "1"}
        found.add(
            "inference",
            2,
            [
                sample("vigie_frames_inferred_total", 10 * second, camera="dock", model="parts-1/0123"),
                sample("vigie_beside_frames_inferred_total", 7 * second, camera="dock", model="people-3/4567"),
                sample("vigie_runtime_info", 1, model="people-3/4567", seat="people", **facts),
                sample("vigie_runtime_measured_ratio", 0.5, seat="people"),
                sample("vigie_runtime_info", 1, model="parts-1/0123", **facts),
            ],
        )
        status.take(found, float(second))
    rows = [line for line in status.block(found, "running", 1.0, [], 100) if line.startswith("  model")]
    assert rows == [
        "  model    parts-1 fp32, onnxruntime on CPU",
        "  model    people-3 fp32, onnxruntime on CPU, as people, 7.0/s",
    ]
    assert "people-3 fp32, onnxruntime on CPU, as people, 7.0/s" in status.line(found, "running", 1.0, [])
