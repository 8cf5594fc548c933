"""What is told of a camera: one outage that ends when it stays up, not a message per retry. No clock."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from support.camera_module import camera_module, make_video, until
from vigie.contracts.events import CameraChanged, CameraDegraded, CameraDown, CameraEvent, CameraUp
from vigie_camera.cause import Cause
from vigie_camera.outages import CALM_S, DOWN_S, RETELL_S, CameraCondition, Outages

GOOD = CameraCondition("streaming", size="640x480", codec="pyav h264")
OPENING = CameraCondition("connecting")
REFUSED = CameraCondition("failed", Cause.REFUSED, "nothing listens there")
FROZEN = CameraCondition("streaming", Cause.FROZEN, "the picture no longer changes", "640x480", "pyav h264")


def told(*steps: tuple[float, CameraCondition]) -> list[CameraEvent]:
    outages = Outages("dock", "1badcafe", itertools.count(), 0.0, "t0.0")
    return [event for now_s, condition in steps for event in outages.observe(condition, now_s, f"t{now_s}")]


def kinds(events: list[CameraEvent]) -> list[tuple[str, str]]:
    return [(str(type(event).__struct_config__.tag), event.phase) for event in events]


def test_the_first_picture_after_a_start_is_told_and_then_nothing_as_long_as_it_is_good() -> None:
    [up] = told((0.2, OPENING), (1.5, GOOD), (2.0, GOOD), (900.0, GOOD))
    assert (up.seconds, up.started_at, up.at) == (1.5, "t0.0", "t1.5")
    assert isinstance(up, CameraUp)
    assert up.cause is None


def test_an_outage_has_one_id_its_cause_and_its_whole_duration() -> None:
    steps = [(1.0, GOOD), (10.0, REFUSED), (10.0 + DOWN_S, REFUSED), (40.0, GOOD), (40.0 + CALM_S, GOOD)]
    up, down, again = told(*steps)
    assert kinds([up, down, again]) == [("camera-up", "end"), ("camera-down", "new"), ("camera-up", "end")]
    assert isinstance(down, CameraDown)
    assert (down.cause, down.reason, down.started_at) == ("refused", "nothing listens there", "t10.0")
    assert isinstance(again, CameraUp)
    assert (again.id, again.seconds, again.at, again.cause, again.losses) == (down.id, 30.0, "t40.0", "refused", 1)
    assert up.id != down.id
    assert len({event.key for event in (up, down, again)}) == 3


def test_a_source_that_is_opened_again_at_once_is_not_told() -> None:
    assert kinds(told((1.0, GOOD), (10.0, REFUSED), (10.5, GOOD), (60.0, GOOD))) == [("camera-up", "end")]


def test_a_camera_that_is_cut_every_seven_seconds_is_one_outage_that_counts_its_losses() -> None:
    steps: list[tuple[float, CameraCondition]] = [(1.0, GOOD)]
    for cut in range(10):
        at_s = 10.0 + 7.0 * cut
        steps += [(at_s, REFUSED), (at_s + 1.5, REFUSED), (at_s + 2.0, GOOD), (at_s + 6.5, GOOD)]
    events = told(*steps, (200.0, GOOD))
    assert kinds(events) == [("camera-up", "end"), ("camera-down", "new"), ("camera-up", "end")]
    assert isinstance(events[-1], CameraUp)
    assert (events[-1].losses, events[-1].seconds) == (10, 10.0 + 63.0 + 2.0 - 10.0)


def test_frozen_is_degraded_and_a_loss_during_it_is_told_as_the_same_outage() -> None:
    steps = [(1.0, GOOD), (10.0, FROZEN), (20.0, REFUSED), (22.0, REFUSED), (30.0, FROZEN), (50.0, GOOD), (61.0, GOOD)]
    events = told(*steps)
    assert kinds(events[1:]) == [
        ("camera-degraded", "new"), ("camera-down", "update"), ("camera-degraded", "update"), ("camera-up", "end"),
    ]  # fmt: skip
    assert len({event.id for event in events[1:]}) == 1
    assert isinstance(events[1], CameraDegraded)
    assert events[1].cause == "frozen"
    assert events[-1].seconds == 40.0


def test_another_cause_of_the_same_outage_is_told_again_but_not_at_every_retry() -> None:
    silent = CameraCondition("failed", Cause.TIMEOUT, "no answer in time")
    steps: list[tuple[float, CameraCondition]] = [(0.0, REFUSED), (2.0, REFUSED)]
    steps += [(4.0 + n, silent if n % 2 else REFUSED) for n in range(20)]
    events = told(*steps, (2.0 + RETELL_S, silent))
    assert [(event.phase, event.cause) for event in events if isinstance(event, CameraDown)] == [
        ("new", "refused"),
        ("update", "timeout"),
    ]


@pytest.mark.parametrize(
    ("after", "what", "was", "now"),
    [
        (CameraCondition("streaming", size="1280x720", codec="pyav h264"), "size", "640x480", "1280x720"),
        (CameraCondition("streaming", size="640x480", codec="pyav hevc"), "codec", "pyav h264", "pyav hevc"),
    ],
)
def test_another_size_or_codec_is_a_change_of_the_camera(after: CameraCondition, what: str, was: str, now: str) -> None:
    up, changed = told((1.0, GOOD), (2.0, OPENING), (3.0, after))
    assert isinstance(changed, CameraChanged)
    assert (changed.what, changed.before, changed.after, changed.phase) == (what, was, now, "end")
    assert changed.id != up.id


def test_a_camera_that_is_removed_ends_the_outage_that_was_told_and_says_that_it_is_no_recovery() -> None:
    outages = Outages("dock", "1badcafe", itertools.count(), 0.0, "t0")
    outages.observe(REFUSED, 1.0, "t1")
    [down] = outages.observe(REFUSED, 5.0, "t5")
    [gone] = outages.removed(9.0, "t9")
    assert isinstance(gone, CameraChanged)
    assert (gone.id, gone.what, gone.seconds) == (down.id, "removed", 8.0)
    healthy = Outages("dock", "1badcafe", itertools.count(), 0.0, "t0")
    healthy.observe(GOOD, 1.0, "t1")
    assert healthy.removed(9.0, "t9") == []


async def test_the_module_sends_what_happens_to_its_cameras(tmp_path: Path) -> None:
    video = make_video(tmp_path / "grey.avi")
    async with camera_module(tmp_path) as module:
        module.set(dock={"source": str(video), "pace": "realtime", "loop": True}, yard={"source": "/no/such.mp4"})

        def of(camera: str) -> list[Any]:
            return [event for event in module.listener.events if event.camera == camera]

        await until(lambda: of("dock") and of("yard"), "both told")
        assert kinds(of("dock")) == [("camera-up", "end")]
        assert kinds(of("yard")) == [("camera-down", "new")]
        assert "cannot be opened as a video" in of("yard")[0].reason
        module.set(dock={"source": str(video), "pace": "realtime", "loop": True})
        await until(lambda: len(of("yard")) == 2, "the removed camera's end")
        assert of("yard")[1].what == "removed"
        # A camera of the same name that comes back does not repeat a key: sync would take it for what it has.
        module.set(yard={"source": "/no/such.mp4"})
        await until(lambda: len(of("yard")) == 3, "down again")
        assert len({event.key for event in module.listener.events}) == len(module.listener.events)
