"""Pacing, caps, back-off and frozen pictures as functions of values."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_camera.backoff import Backoff
from vigie_camera.frozen import FrozenPicture
from vigie_camera.pace import Pacer


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
def test_nothing_else_is_held_back(rhythm) -> None:
    pacer = Pacer(rhythm, None)
    assert [pacer.wait_s(t, 0.0) for t in (0.0, 5.0, 9.0)] == [0.0, 0.0, 0.0]


def test_without_a_cap_every_frame_is_taken() -> None:
    assert all(Pacer("max", None).admits(t / 30) for t in range(100))


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
    assert [middle.next_s() for _ in range(8)] == [0.25, 1, 2, 4, 8, 16, 30, 30]
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
    assert backoff.next_s() == 16
    backoff.streamed(60.0)
    assert backoff.next_s() == 0.25


def test_a_picture_that_stands_still_is_told_by_seconds() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    frozen = FrozenPicture()
    assert [frozen.still_for_s(picture, t / 2) for t in range(13)][-1] == 6.0
    picture[0, 0] ^= 1
    assert frozen.still_for_s(picture, 6.5) == 0.0


def test_a_small_clock_in_a_corner_is_change() -> None:
    picture = np.full((120, 160, 3), 80, np.uint8)
    frozen = FrozenPicture()
    longest = 0.0
    for step in range(200):
        picture[5:8, 5:8] = step // 10 % 250  # between the sampled pixels, once a second
        longest = max(longest, frozen.still_for_s(picture, step / 10))
    assert longest < FrozenPicture.limit_s(0.1)


def test_slow_cameras_get_five_of_their_periods() -> None:
    assert FrozenPicture.limit_s(1 / 30) == 5.0
    assert FrozenPicture.limit_s(4.0) == 20.0
