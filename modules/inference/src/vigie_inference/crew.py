"""Frames in hand: worked on by several threads at a time, finished in order per camera.

A frame that takes long holds back later frames of its own camera and nothing else. A message is done when all its
frames, and the messages before it, are: a sender's window counts what was processed, in order.

Workers take messages themselves, one of them at a time: a frame goes through no other thread. While frames come singly
the one that took the last takes the next, and the others sleep; where frames queue, all are awake and none waits for
another. Results are finished by one of them at a time, which holds nobody else back.
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
# After a message that found frames in hand, others are kept awake for so many that do not.
_BUSY_MESSAGES = 16


class FrameMessage(Protocol):
    """What frames came in."""

    def done(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Batch:
    message: FrameMessage
    left: int


@dataclass(slots=True, eq=False)
class _Job(Generic[T, R]):
    item: T
    lane: str
    batch: _Batch
    result: R | None = None
    finished: bool = False


class Crew(Generic[T, R]):
    """``work`` is the body of each worker; ``take`` from any thread, usually the worker that leads."""

    def __init__(self, work: Callable[[T], R], finish: Callable[[T, R], None], at_a_time: Callable[[], int]) -> None:
        """``work``: from any worker. ``finish``: one call at a time, in order per camera. ``at_a_time``: most runs."""
        self._work, self._finish, self._at_a_time = work, finish, at_a_time
        self._condition = threading.Condition()
        self._waiting: deque[_Job[T, R]] = deque()
        self._lanes: dict[str, deque[_Job[T, R]]] = {}
        self._batches: deque[_Batch] = deque()
        self._running = 0
        self._in_hand = 0
        self._leading = False
        self._asleep = 0
        # Messages for which another worker is still kept awake.
        self._busy = 0
        # Worked on and next in their lanes; whoever finishes takes these too.
        self._ready: deque[_Job[T, R]] = deque()
        self._finishing = False

    @property
    def in_hand(self) -> int:
        """Frames that were taken and are not finished."""
        return self._in_hand

    def take(self, message: FrameMessage, items: list[tuple[str, T]], *, queued: bool = True) -> None:
        """Work on ``items``, each with its camera; ``message.done()`` follows. ``queued``: it waited to be taken."""
        batch = _Batch(message, len(items))
        with self._condition:
            self._batches.append(batch)
            if queued or self._in_hand or len(items) > 1:
                self._busy = _BUSY_MESSAGES
            elif self._busy:
                self._busy -= 1
            for lane, item in items:
                job: _Job[T, R] = _Job(item, lane, batch)
                self._waiting.append(job)
                self._lanes.setdefault(lane, deque()).append(job)
            self._in_hand += len(items)
            done = [] if items else self._whole_batches()
            if self._asleep and self._busy:
                self._condition.notify(len(items) or 1)
        for one in done:
            one.message.done()

    def work(self, stop: threading.Event, lead: Callable[[], None] | None = None) -> None:
        """Until ``stop`` is set; a frame in hand then stays unanswered and its message unconfirmed.

        ``lead``: takes what comes next, waiting a moment for it; called by one worker at a time, and only when no frame
        waits. Without, others call ``take``.
        """
        while not stop.is_set():
            job, leads = self._next(may_lead=lead is not None)
            if job is not None:
                try:
                    job.result = self._work(job.item)
                finally:
                    with self._condition:
                        self._running -= 1
                        if self._asleep and (self._waiting or stop.is_set()):
                            self._condition.notify_all()
                if not stop.is_set():
                    self._settle(job)
            elif leads and lead is not None:
                try:
                    lead()
                finally:
                    with self._condition:
                        self._leading = False

    def _next(self, *, may_lead: bool) -> tuple[_Job[T, R] | None, bool]:
        """A frame to work on, or whether this worker takes what comes next; neither: look again."""
        with self._condition:
            room = self._running < self._at_a_time()
            if self._waiting and room:
                self._running += 1
                return self._waiting.popleft(), False
            if may_lead and room and not self._leading:
                self._leading = True
                return None, True
            self._asleep += 1
            try:
                self._condition.wait(_WAIT_S)
            finally:
                self._asleep -= 1
            return None, False

    def _settle(self, job: _Job[T, R]) -> None:
        """Finish what has become the next of its lane, unless somebody is at it, who then finishes it too."""
        with self._condition:
            job.finished = True
            lane = self._lanes[job.lane]
            while lane and lane[0].finished:
                self._ready.append(lane.popleft())
            if not lane:
                del self._lanes[job.lane]
            if self._finishing:
                return
            self._finishing = True
        settled: list[_Job[T, R]] = []
        while True:
            with self._condition:
                for one in settled:
                    one.batch.left -= 1
                self._in_hand -= len(settled)
                done = self._whole_batches()
                settled = list(self._ready)
                self._ready.clear()
                if not settled and not done:
                    self._finishing = False
                    return
            for batch in done:
                batch.message.done()
            for one in settled:
                if one.result is not None:
                    self._finish(one.item, one.result)

    def _whole_batches(self) -> list[_Batch]:
        """The oldest messages of which every frame is finished. The condition is held."""
        done = []
        while self._batches and self._batches[0].left == 0:
            done.append(self._batches.popleft())
        return done
