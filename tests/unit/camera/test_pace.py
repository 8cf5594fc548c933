"""Pacing, caps, back-off, patience and frozen pictures as functions of values."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie_camera.backoff import Backoff
from vigie_camera.decode.picture_check import PictureCheck
from vigie_camera.pace import Pacer
from vigie_camera.patience import Patience
from vigie_camera.readiness import unready


def test_real_time_holds_a_frame_until_its_moment() -> None:
    pacer = Pacer("realtime", None)
    assert pacer.wait_s(0.0, 100.0) == 0.0
    assert pacer.wait_s(0.1, 100.02) == pytest.approx(0.08)
    assert pacer.wait_s(0.2, 100.25) == 0.0


def test_after_a_long_stall_a_file_goes_on_from_there_instead_of_racing() -> None:
    pacer = Pacer("realtime", None)
    pacer.wait_s(0.0, 100.0)
    assert pacer.wait_s(0.1, 160.0) == 0.0
    assert pacer.wait_s(0.2, 160.0) == pytest.approx(0.1)


@pytest.mark.parametrize("rhythm", ["live", "max"])
def test_nothing_else_is_held_back(rhythm: str) -> None:
    pacer = Pacer(rhythm, None)
    assert [pacer.wait_s(t, 0.0) for t in (0.0, 5.0, 9.0)] == [0.0, 0.0, 0.0]


def test_without_a_cap_every_frame_is_taken() -> None:
    assert all(Pacer("max", None).admits(t / 30) for t in range(100))


@settings(deadline=None)  # a busy machine is no finding
@given(source_fps=st.floats(1, 120), cap=st.floats(0.5, 60), jitter=st.floats(0, 0.0004))
def test_a_cap_is_kept_and_used_up(source_fps: float, cap: float, jitter: float) -> None:
    pacer = Pacer("live", cap)
    seconds = 20
    taken = sum(pacer.admits(n / source_fps + (n % 2) * jitter) for n in range(int(seconds * source_fps)))
    assert taken <= cap * seconds + 2
    assert taken >= min(cap, source_fps) * seconds * 0.9 - 2 or source_fps / 2 < cap < source_fps


def test_a_clock_that_goes_back_does_not_stop_the_frames() -> None:
    pacer = Pacer("live", 5)
    assert pacer.admits(1000.0)
    assert pacer.admits(3.0)
    assert not pacer.admits(3.1)
    assert pacer.admits(3.2)


def test_back_off_begins_quickly_doubles_to_half_a_minute_and_jitters() -> None:
    middle = Backoff(lambda: 0.5)
    assert [middle.next_s() for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30]
    dice = random.Random(1)
    jittered = Backoff(dice.random)
    pauses = [jittered.next_s() for _ in range(200)][10:]
    assert 22.5 <= min(pauses) < 24
    assert max(pauses) == 30


def test_a_source_that_streamed_for_a_while_begins_anew_and_one_that_flickers_does_not() -> None:
    backoff = Backoff(lambda: 0.5)
    for _ in range(5):
        backoff.next_s()
    backoff.streamed(2.0)
    assert backoff.next_s() == 8
    backoff.streamed(60.0)
    assert backoff.next_s() == 0.25


def test_a_crash_after_a_good_while_costs_no_pause_and_the_next_one_in_a_row_does() -> None:
    backoff = Backoff(lambda: 0.5)
    assert [backoff.after_crash_s() for _ in range(4)] == [0, 0.5, 1, 2]
    backoff.streamed(60.0)
    assert [backoff.after_crash_s(), backoff.next_s()] == [0, 0.5]
    # A crash after other failures is one more of them.
    assert backoff.after_crash_s() == 1


def test_a_camera_is_lost_after_five_seconds_or_five_of_its_own_periods() -> None:
    patience = Patience()
    patience.open(0.0)
    patience.opened(1 / 30, 0.0)
    assert patience.limit_s == 5.0
    for n in range(10):
        patience.frame(n * 4.0)
    assert patience.limit_s == 20.0
    assert not patience.lost(36.0 + 20.0)
    assert patience.lost(36.0 + 20.1)
    # What it has learned outlives the connection.
    patience.open(100.0)
    patience.opened(1 / 30, 100.0)
    assert patience.limit_s == 20.0


def test_a_camera_of_one_frame_in_eight_seconds_flaps_once_and_is_then_known() -> None:
    patience, now, losses = Patience(), 0.0, 0
    for _ in range(6):
        patience.open(now)
        patience.opened(1 / 25, now)
        for _ in range(5):
            patience.frame(now)
            if patience.lost(now + 8.0):
                now += patience.limit_s
                losses += 1
                break
            now += 8.0
        else:
            break
    assert losses == 1
    assert patience.period_s == 8.0


def test_the_time_that_a_dead_camera_takes_to_open_is_no_streaming() -> None:
    patience = Patience()
    patience.open(0.0)
    assert patience.streamed_s == 0.0
    patience.opened(1 / 30, 31.8)
    assert patience.streamed_s == 0.0
    patience.frame(32.0)
    patience.frame(43.0)
    assert patience.streamed_s == 11.0


@pytest.mark.parametrize(
    ("wanted", "down", "answer"),
    [
        ("any", 4, None),
        ("quorum", 2, None),
        ("quorum", 4, "1 of 5 cameras give frames, 3 must (ready_when quorum): c0: dns; c1: dns; c2: dns; c3: dns"),
        ("all", 1, "4 of 5 cameras give frames, 5 must (ready_when all): c0: dns"),
        ("all", 0, None),
        ("any", 5, "0 of 5 cameras give frames, 1 must (ready_when any): c0: dns; c1: dns; c2: dns; c3: dns; c4: dns"),
    ],
)
def test_the_module_is_ready_as_its_twin_wants_it(wanted: str, down: int, answer: str | None) -> None:
    assert unready(wanted, {f"c{n}": "dns" if n < down else None for n in range(5)}) == answer


def test_without_cameras_the_module_is_ready() -> None:
    assert unready("all", {}) is None
    assert unready("quorum", {}) is None


@pytest.mark.parametrize(
    ("level", "noise", "black"),
    [(16, 0, True), (16, 2, True), (22, 2, True), (60, 2, False), (16, 40, False)],
    ids=["black", "noisy black", "covered lens", "dusk", "noise of a night scene"],
)
def test_a_black_picture_is_told_by_seconds(level: int, noise: int, black: bool) -> None:
    dice = np.random.default_rng(1)
    check = PictureCheck(tamper=False)
    for step in range(20):
        luma = np.clip(level + dice.normal(0, noise + 0.01, (120, 160)), 0, 255).astype(np.uint8)
        dark_s = check.look(luma, step / 2, None)[1]
    assert dark_s == (9.5 if black else 0.0)


def test_a_lamp_in_the_dark_is_not_black() -> None:
    luma = np.full((120, 160), 16, np.uint8)
    luma[40:60, 40:60] = 200
    assert PictureCheck(tamper=False).look(luma, 0.0, None)[1] == 0.0
    check = PictureCheck(tamper=False)
    for step in range(20):
        dark_s = check.look(luma, step / 2, None)[1]
    assert dark_s == 0.0
