"""Frames in hand: order per camera, no camera waits for another's slow frame, messages are done in order."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vigie_inference.crew import Crew
from vigie_inference.load import queue_state

LONG_S = 60.0


class Message:
    def __init__(self, number: int, done: list[int]) -> None:
        self.number, self._done = number, done

    def done(self) -> None:
        self._done.append(self.number)


class Desk:
    """A crew whose frames wait until the test lets them go."""

    def __init__(self, workers: int, at_a_time: int) -> None:
        self.at_a_time = at_a_time
        self.finished: list[tuple[str, int]] = []
        self.done: list[int] = []
        self.running: set[tuple[str, int]] = set()
        self.most_running = 0
        self.changed = threading.Condition()
        self.held: set[tuple[str, int]] = set()
        self.crew: Crew[tuple[str, int], int] = Crew(self._work, self._finish, lambda: self.at_a_time)
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.crew.work, args=(self.stop,)) for _ in range(workers)]

    def take(self, number: int, *frames: tuple[str, int]) -> None:
        self.crew.take(Message(number, self.done), [(frame[0], frame) for frame in frames])

    def let_go(self, frame: tuple[str, int]) -> None:
        with self.changed:
            self.held.discard(frame)
            self.changed.notify_all()

    def until(self, condition: object) -> None:
        with self.changed:
            assert callable(condition)
            assert self.changed.wait_for(condition, LONG_S), (self.finished, self.done, self.running)

    def _work(self, frame: tuple[str, int]) -> int:
        with self.changed:
            self.running.add(frame)
            self.most_running = max(self.most_running, len(self.running))
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: frame not in self.held, LONG_S)
            self.running.discard(frame)
        return frame[1]

    def _finish(self, frame: tuple[str, int], result: int) -> None:
        assert result == frame[1]
        with self.changed:
            self.finished.append(frame)
            self.changed.notify_all()


@contextmanager
def desk(workers: int = 2, at_a_time: int = 2) -> Iterator[Desk]:
    made = Desk(workers, at_a_time)
    for thread in made.threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop.set()
        with made.changed:
            made.held.clear()
            made.changed.notify_all()
        for thread in made.threads:
            thread.join(LONG_S)


def test_a_slow_frame_of_one_camera_does_not_hold_anothers_and_its_own_stay_in_order() -> None:
    with desk() as at:
        at.held = {("dock", 1)}
        at.take(1, ("dock", 1), ("gate", 1), ("dock", 2), ("gate", 2))
        at.until(lambda: at.finished == [("gate", 1), ("gate", 2)])
        assert at.done == []
        at.let_go(("dock", 1))
        at.until(lambda: at.finished[2:] == [("dock", 1), ("dock", 2)])
        at.until(lambda: at.crew.in_hand == 0)


def test_messages_are_done_in_order_however_their_frames_finish() -> None:
    with desk() as at:
        at.held = {("dock", 1)}
        at.take(1, ("dock", 1))
        at.take(2, ("gate", 1))
        at.take(3)
        at.until(lambda: at.finished == [("gate", 1)])
        assert at.done == []
        at.let_go(("dock", 1))
        assert at.crew.wait_for_room(LONG_S)
        at.until(lambda: ("dock", 1) in at.finished)
        while len(at.done) < 3 and any(thread.is_alive() for thread in at.threads):
            at.crew.wait_for_the_running(0.05)
        assert at.done == [1, 2, 3]


def test_no_more_run_at_a_time_than_the_candidate_has() -> None:
    with desk(workers=4, at_a_time=2) as at:
        frames = [(f"camera-{number % 3}", number) for number in range(60)]
        at.held = {frames[0]}
        at.take(1, *frames)
        at.until(lambda: at.running == {frames[0]} and len(at.finished) == 40)
        at.let_go(frames[0])
        at.until(lambda: len(at.finished) == 60)
        assert at.most_running <= 2


def test_every_frame_is_finished_once_and_in_order_per_camera_whatever_the_timing() -> None:
    chance = random.Random(7)
    with desk(workers=3, at_a_time=3) as at:
        sent = 0
        for number in range(1, 120):
            frames = [(chance.choice(("a", "b", "c")), sent + more) for more in range(chance.randrange(4))]
            sent += len(frames)
            at.take(number, *frames)
            at.at_a_time = chance.randrange(1, 4)
        at.until(lambda: len(at.finished) == sent)
        for camera in "abc":
            mine = [seq for name, seq in at.finished if name == camera]
            assert mine == sorted(mine)


@pytest.mark.parametrize(
    ("frames", "waited", "before", "queues"),
    [
        (100, 60, False, True),
        (100, 30, False, False),
        (100, 30, True, True),
        (100, 5, True, False),
        (10, 10, False, False),
        (0, 0, True, True),
    ],
    ids=["most wait", "some wait", "still some wait", "hardly any waits", "too few to tell", "nothing comes"],
)
def test_frames_queue_when_most_found_others_there_and_come_singly_when_hardly_any_did(
    frames: int, waited: int, before: bool, queues: bool
) -> None:
    assert queue_state(frames, waited, before=before) is queues
