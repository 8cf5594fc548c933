"""A rate or a size that is not the one it should be is told, by twin or as the camera used to send."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from support.camera_module import camera_module, until
from support.web_camera import web_camera
from vigie.contracts.events import CameraDegraded
from vigie_camera.cause import Cause
from vigie_camera.config import Expected
from vigie_camera.expectation import Expectation

HW = (480, 640)


def times(fps: float, seconds: float, begin_s: float = 0.0) -> Iterable[float]:
    return (begin_s + number / fps for number in range(int(fps * seconds) + 1))


def judge(expectation: Expectation, at_s: Iterable[float]) -> list[Cause | None]:
    """Each verdict once, in order."""
    found: list[Cause | None] = []
    for at in at_s:
        verdict = expectation.frame(at, HW)
        if not found or found[-1] != verdict:
            found.append(verdict)
    return found


@pytest.mark.parametrize(
    ("sent", "told"),
    [(15, False), (12, False), (10, False), (8, True), (1, True), (20, False), (30, True)],
)
def test_a_rate_outside_of_what_is_expected_is_told_after_ten_seconds(sent: float, *, told: bool) -> None:
    expectation = Expectation(Expected(fps=15), None)
    assert judge(expectation, times(sent, 9)) == [None]
    assert (judge(expectation, times(sent, 5, 9))[-1] is Cause.RATE) is told


def test_it_is_over_when_the_rate_is_good_again_and_not_at_the_first_quick_second() -> None:
    expectation = Expectation(Expected(fps=10), None)
    assert judge(expectation, times(4, 20))[-1] is Cause.RATE
    assert judge(expectation, times(10, 3, 20)) == [Cause.RATE]
    assert judge(expectation, times(10, 15, 23))[-1] is None


def test_a_camera_of_one_frame_in_eight_seconds_is_judged_over_five_of_them() -> None:
    expectation = Expectation(Expected(fps=0.125), None)
    assert judge(expectation, times(0.125, 200)) == [None]


def test_the_rate_of_the_first_minute_is_learned_and_a_lower_one_told() -> None:
    expectation = Expectation(Expected(learn=True), None)
    assert judge(expectation, times(12, 70)) == [None]
    assert expectation.fps == pytest.approx(12, rel=0.02)
    assert judge(expectation, times(5, 15, 71))[-1] is Cause.RATE


def test_a_reconnect_is_no_slow_rate() -> None:
    expectation = Expectation(Expected(fps=10), None)
    assert judge(expectation, times(10, 20)) == [None]
    expectation.opened()
    assert judge(expectation, times(10, 20, 60)) == [None]


def test_a_cap_on_the_rate_is_what_is_expected() -> None:
    assert judge(Expectation(Expected(fps=25), 5.0), times(5, 20)) == [None]


def test_another_size_is_told_at_once() -> None:
    expectation = Expectation(Expected(size="1920x1080"), None)
    assert expectation.frame(0.0, HW) is Cause.SIZE
    assert expectation.frame(0.1, (1080, 1920)) is None


def test_without_expectations_nothing_is_wrong() -> None:
    assert judge(Expectation(None, None), times(1, 100)) == [None]


async def test_a_camera_of_the_wrong_size_is_degraded_and_the_module_stays_ready(tmp_path: Path) -> None:
    with web_camera() as camera:
        async with camera_module(tmp_path) as module:
            module.set(dock={"source": camera.url("/mjpeg"), "expect": {"size": "1280x720"}})
            await until(lambda: module.state("dock").get("cause") == "size", "told")
            assert module.state("dock")["size"] == "64x48"
            [event] = await until(
                lambda: [one for one in module.listener.events if isinstance(one, CameraDegraded)], "the event"
            )
            assert (event.cause, event.phase) == ("size", "new")
            assert "cameras" not in module.service.health.missing()
            module.set(dock={"source": camera.url("/mjpeg"), "expect": {"size": "64x48"}})
            await until(lambda: module.state("dock").get("cause") is None, "good")
