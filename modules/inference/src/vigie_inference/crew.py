"""Frames in hand: worked on by several threads at a time, finished in order per camera.

A frame that takes long holds back later frames of its own camera and nothing else. A message is done when all its
frames, and the messages before it, are: a sender's window counts what was processed, in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WAIT_S = 0.5


class Message(Protocol):
    """What frames came in."""

    def done(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Batch:
    message: Message
    left: int


@dataclass(slots=True, eq=False)
class _Job(Generic[T, R]):
    item: T
    lane: str
    batch: _Batch
    result: R | None = None
    finished: bool = False


class Crew(Generic[T, R]):
    """``take`` and ``wait_for_room`` from one thread, ``work`` is the body of each worker."""

    def __init__(self, work: Callable[[T], R], finish: Callable[[T, R], None], at_a_time: Callable[[], int]) -> None:
        """``work``: from any worker. ``finish``: one call at a time, in order per camera. ``at_a_time``: most runs."""
        self._work, self._finish, self._at_a_time = work, finish, at_a_time
        self._condition = threading.Condition()
        self._waiting: deque[_Job[T, R]] = deque()
        self._lanes: dict[str, deque[_Job[T, R]]] = {}
        self._batches: deque[_Batch] = deque()
        self._running = 0
        self._in_hand = 0

    @property
    def in_hand(self) -> int:
        """Frames that were taken and are not finished."""
        return self._in_hand

    def take(self, message: Message, items: list[tuple[str, T]]) -> None:
        """Work on ``items``, each with its camera; ``message.done()`` follows."""
        batch = _Batch(message, len(items))
        with self._condition:
            self._batches.append(batch)
            for lane, item in items:
                job: _Job[T, R] = _Job(item, lane, batch)
                self._waiting.append(job)
                self._lanes.setdefault(lane, deque()).append(job)
            self._in_hand += len(items)
            if not items:
                self._part_with_batches()
            self._condition.notify(len(items))

    def wait_for_room(self, timeout_s: float) -> bool:
        """Until no more frames wait than run at a time, so that the newest wait where they can still be replaced."""
        with self._condition:
            return self._condition.wait_for(lambda: len(self._waiting) < max(1, self._at_a_time()), timeout_s)

    def wait_for_the_running(self, timeout_s: float) -> bool:
        """Until no worker is at a frame, when all have been told to stop."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._running, timeout_s)

    def work(self, stop: threading.Event) -> None:
        """Until ``stop`` is set; a frame in hand then stays unanswered and its message unconfirmed."""
        while not stop.is_set():
            with self._condition:
                if not self._waiting or self._running >= self._at_a_time():
                    self._condition.wait(_WAIT_S)
                    continue
                job = self._waiting.popleft()
                self._running += 1
            try:
                job.result = self._work(job.item)
            finally:
                with self._condition:
                    self._running -= 1
                    self._condition.notify_all()
            if not stop.is_set():
                self._settle(job)

    def _settle(self, job: _Job[T, R]) -> None:
        with self._condition:
            job.finished = True
            lane = self._lanes[job.lane]
            while lane and lane[0].finished:
                first = lane.popleft()
                if first.result is not None:
                    self._finish(first.item, first.result)
                first.batch.left -= 1
                self._in_hand -= 1
            if not lane:
                del self._lanes[job.lane]
            self._part_with_batches()

    def _part_with_batches(self) -> None:
        """The condition is held."""
        while self._batches and self._batches[0].left == 0:
            self._batches.popleft().message.done()
