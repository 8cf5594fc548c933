"""What a window says, from counts and items."""

from __future__ import annotations

import pytest

from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie_devkit.bench.window import (
    MeasuredWindow,
    beyond_ms,
    by_thread,
    delays_ms,
    drift,
    growth,
    inside,
    source_seconds,
    stages_ms,
)
from vigie_devkit.local.cpu import Used


def _item(captured_ns: int, received_ms: float | None = 20.0) -> DetectionsItem:
    timings = StageTimings(2.0, 15.0, 8.0, committed_ms=received_ms and received_ms + 70.0, received_ms=received_ms)
    return DetectionsItem("c", 0, f"c-{captured_ns}", "2026-11-20T20:00:00Z", captured_ns, (2, 2), "m", [], timings)


def _window() -> MeasuredWindow:
    used = {
        "hub": Used(1.0, {}),
        "camera": Used(3.0, {"camera.a": 2.0}),
        "inference": Used(5.0, {"engine": 1.0}),
        "up": Used(9.0, {}),
    }
    return MeasuredWindow(
        begun_ns=1_000_000_000,
        seconds=2.0,
        captured=110,
        committed=100,
        dropped={"consumer_behind": 9, "ring_full": 2},
        messages=50,
        used=used,
        model_s=4.0,
        source_s=2.0,
    )


def test_cpu_a_frame_leaves_out_source_model_and_the_command_itself() -> None:
    assert _window().overhead_ms() == {"hub": 10.0, "camera": 10.0, "inference": 10.0}


def test_speed_drops_and_batching_are_shares_of_the_window() -> None:
    window = _window()
    assert (window.fps, window.drop_share, window.frames_a_message) == (50.0, 0.1, 2.0)


def test_only_what_was_captured_in_the_window_counts_in_order_of_capture() -> None:
    items = [_item(3_000_000_000), _item(2_500_000_000), _item(999_999_999), _item(1_000_000_000)]
    assert [item.captured_ns for item in inside(items, _window())] == [1_000_000_000, 2_500_000_000]


def test_items_without_a_time_of_commit_have_no_delay() -> None:
    items = [_item(1), _item(2, None), _item(3, 30.0)]
    assert delays_ms(items) == [20.0, 30.0]
    assert beyond_ms(items) == [12.0, 22.0]


def test_growth_is_by_reason() -> None:
    assert growth({"a": 1, "b": 2}, {"a": 1, "b": 5, "c": 4}) == {"b": 3, "c": 4}


@pytest.mark.parametrize(
    ("delays", "expected"), [([5.0] * 9, 1.0), ([1.0] * 3 + [2.0] * 3 + [4.0] * 3, 4.0)], ids=["flat", "growing"]
)
def test_drift_compares_the_last_third_with_the_first(delays: list[float], expected: float) -> None:
    assert drift(delays) == expected


def test_too_few_delays_have_no_drift() -> None:
    with pytest.raises(ValueError, match="no values"):
        drift([1.0])


def test_the_threads_that_cost_most_come_first() -> None:
    assert by_thread(Used(1.0, {"a": 0.1, "b": 0.5, "c": 0.2}), 100, most=2) == "b 5.00, c 2.00"


def test_a_camera_s_thread_and_its_decoder_are_the_source_and_the_rest_of_the_module_is_not() -> None:
    used = Used(9.0, {"camera.a": 1.0, "cam.a": 2.0, "camera.watch": 0.5, "bells": 0.25, "outbox": 0.25})
    assert source_seconds(used) == 3.0


def test_the_stages_of_a_frame_add_up_to_its_delay() -> None:
    stages = stages_ms([_item(1, 20.0), _item(2, None)])
    assert stages == {
        "capture to preprocessed": 2.0,
        "waiting for the model": 5.0,
        "model": 8.0,
        "inferred to sync": 5.0,
        "sync to its ledger": 70.0,
    }
    assert sum(stages.values()) == 90.0
