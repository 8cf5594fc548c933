"""Frames in hand: order per camera, no camera waits for another's slow frame, messages are done in order."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from vigie_inference.crew import Crew
from vigie_inference.load import QueueState, queue_state

LONG_S = 60.0


class Message:
    def __init__(self, number: int, done: list[int], changed: threading.Condition) -> None:
        self.number, self._done, self._changed = number, done, changed

    def done(self) -> None:
        with self._changed:
            self._done.append(self.number)
            self._changed.notify_all()


class Desk:
    """A crew whose frames wait until the test lets them go, and whose workers take them from ``inbox``."""

    def __init__(self, workers: int, at_a_time: int, *, leads: bool) -> None:
        self.at_a_time = at_a_time
        self.finished: list[tuple[str, int]] = []
        self.done: list[int] = []
        self.running: set[tuple[str, int]] = set()
        self.most_running = 0
        self.changed = threading.Condition()
        self.worked: set[tuple[str, int]] = set()
        self.finishing: tuple[str, int] | None = None
        self.slow_finish: tuple[str, int] | None = None
        self.held: set[tuple[str, int]] = set()
        self.crew: Crew[tuple[str, int], int] = Crew(self._work, self._finish, lambda: self.at_a_time)
        self.stop = threading.Event()
        # What waits to be taken, message by message; who led when it was taken.
        self.inbox: deque[tuple[int, tuple[str, int]]] = deque()
        self.leaders: list[int] = []
        self.singly = False
        lead = self._lead if leads else None
        self.threads = [threading.Thread(target=self.crew.work, args=(self.stop, lead)) for _ in range(workers)]

    def take(self, number: int, *frames: tuple[str, int]) -> None:
        self.crew.take(Message(number, self.done, self.changed), [(frame[0], frame) for frame in frames])

    def send(self, number: int, frame: tuple[str, int]) -> None:
        with self.changed:
            self.inbox.append((number, frame))
            self.changed.notify_all()

    def _lead(self) -> None:
        with self.changed:
            queued = bool(self.inbox) and not self.singly
            if not self.changed.wait_for(lambda: self.inbox or self.stop.is_set(), LONG_S) or self.stop.is_set():
                return
            number, frame = self.inbox.popleft()
            self.leaders.append(threading.get_ident())
        self.crew.take(Message(number, self.done, self.changed), [(frame[0], frame)], queued=queued)

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
            self.worked.add(frame)
            self.changed.notify_all()
        return frame[1]

    def _finish(self, frame: tuple[str, int], result: int) -> None:
        assert result == frame[1]
        with self.changed:
            self.finishing = frame
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: frame != self.slow_finish, LONG_S)
            self.finished.append(frame)
            self.changed.notify_all()


@contextmanager
def desk(workers: int = 2, at_a_time: int = 2, *, leads: bool = False) -> Iterator[Desk]:
    made = Desk(workers, at_a_time, leads=leads)
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
        at.until(lambda: len(at.done) == 3)
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


def test_frames_that_come_singly_go_through_one_thread_only() -> None:
    with desk(leads=True) as at:
        at.singly = True
        begun = time.monotonic()
        for number in range(1, 40):
            at.send(number, ("dock", number))
            at.until(lambda number=number: number in at.done)
        # Whoever sleeps looks around twice a second, and may be the first to lead then.
        looks = (time.monotonic() - begun) / 0.5 + 1
        changes = sum(one != other for one, other in pairwise(at.leaders))
        assert changes <= 2 * looks + 1, at.leaders


def test_frames_that_queue_are_worked_on_by_all_though_nobody_hands_them_out() -> None:
    with desk(leads=True) as at:
        at.held = {("dock", 1), ("gate", 1)}
        for number in range(1, 9):
            at.send(number, (("dock", "gate")[number % 2], (number + 1) // 2))
        at.until(lambda: at.running == {("dock", 1), ("gate", 1)})
        assert at.crew.in_hand == 2, "the others wait where newer ones can replace them"
        at.let_go(("dock", 1))
        at.let_go(("gate", 1))
        at.until(lambda: len(at.done) == 8)


def test_a_worker_that_finishes_results_holds_no_other_back() -> None:
    with desk() as at:
        at.slow_finish = ("dock", 1)
        at.take(1, ("dock", 1))
        at.until(lambda: at.finishing == ("dock", 1))
        at.take(2, ("gate", 1), ("gate", 2))
        at.until(lambda: at.worked >= {("gate", 1), ("gate", 2)})
        assert at.finished == []
        with at.changed:
            at.slow_finish = None
            at.changed.notify_all()
        at.until(lambda: at.finished == [("dock", 1), ("gate", 1), ("gate", 2)])


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
    ("frames", "waited", "before", "after"),
    [
        (100, 60, QueueState(False), QueueState(True, 500.0)),
        (100, 30, QueueState(False), QueueState(False)),
        (100, 30, QueueState(True), QueueState(True)),
        (100, 5, QueueState(True), QueueState(False)),
        (100, 5, QueueState(True, 441.0), QueueState(True, 441.0)),
        (100, 5, QueueState(True, 440.0), QueueState(False, 440.0)),
        (10, 10, QueueState(False), QueueState(False)),
        (0, 0, QueueState(True), QueueState(True)),
    ],
    ids=[
        "most wait",
        "some wait",
        "still some wait",
        "hardly any waits",
        "hardly any waits, most did 59 s ago",
        "hardly any waits, most did 60 s ago",
        "too few to tell",
        "nothing comes",
    ],
)
def test_frames_queue_when_most_found_others_there_and_come_singly_when_hardly_any_did_for_a_minute(
    frames: int, waited: int, before: QueueState, after: QueueState
) -> None:
    assert queue_state(frames, waited, before, now_s=500.0) == after


def test_bursts_every_few_seconds_do_not_change_the_engine_each_time() -> None:
    state, changes = QueueState(), 0
    for second in range(600):
        waited = 90 if second % 30 < 5 else 2
        after = queue_state(100, waited, state, float(second))
        changes += after.queueing != state.queueing
        state = after
    assert (state.queueing, changes) == (True, 0)
