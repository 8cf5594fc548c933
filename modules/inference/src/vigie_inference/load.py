"""What the inference threads tell of themselves: how busy they are, whether frames queue, which engine failed."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from vigie.errors import EngineError
from vigie_inference.serving import ServingModel

# Long enough to hold some frames of a slow camera, short enough to follow a change of scene.
WINDOW_S = 5.0
# Frames queue when more than this share of them found others in hand, and come singly again below the second one.
QUEUE_SHARE, SINGLE_SHARE = 0.5, 0.1
# Few frames prove little; a camera that starts sends some at once.
_FRAMES_MIN = 20
# Where frames have queued, they may again with the next burst: each change of the engine costs its warm-up and a moment
# of every camera, so the way back waits for so long a calm.
CALM_S = 60.0


@dataclass(frozen=True)
class QueueState:
    """``queueing``: whether frames wait for each other. ``queued_s``: when most last did, monotonic; None: not yet."""

    queueing: bool = True
    queued_s: float | None = None


class Load:
    """Written by the inference threads, read by the one that chooses the runtime."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: deque[tuple[float, float]] = deque(maxlen=2000)
        self.failures: queue.SimpleQueue[tuple[ServingModel, EngineError]] = queue.SimpleQueue()
        self.attention = threading.Event()
        self._arrivals: deque[tuple[float, int, int]] = deque(maxlen=2000)
        self._queue = QueueState()
        self._at_a_time = 1
        # Frames that no engine answered, since the start; counted by several threads, read by any.
        self.unanswered = 0
        # Frames on which the serving engine failed and the one that stands by answered.
        self.stood_in = 0
        # Set by the thread that governs: the machine has to be spared, so what needs least energy is best.
        self.saving = False

    def came(self, frames: int, *, others_there: bool, at_a_time: int) -> None:
        """A message of ``frames`` was taken, of which ``at_a_time`` may run.

        ``others_there``: it had to wait to be taken, or others are in hand.
        """
        others = frames if others_there else frames - 1
        with self._lock:
            self._at_a_time = max(1, at_a_time)
            self._arrivals.append((time.monotonic(), frames, others))

    def queueing(self) -> bool:
        """Whether frames wait for each other; stays as it was between the two bounds, and while hardly any come.

        Those that have once queued count as queueing until they have come singly for ``CALM_S``.
        """
        now_s = time.monotonic()
        with self._lock:
            recent = [(frames, others) for at, frames, others in self._arrivals if now_s - at < WINDOW_S]
            self._queue = queue_state(sum(f for f, _ in recent), sum(o for _, o in recent), self._queue, now_s)
            return self._queue.queueing

    def ran(self, took_s: float) -> None:
        with self._lock:
            self._runs.append((time.monotonic(), took_s))

    def was_not_answered(self) -> None:
        """A frame, by any engine."""
        with self._lock:
            self.unanswered += 1

    def was_stood_in_for(self) -> None:
        """By the engine that stands by, on a frame that the serving one failed on."""
        with self._lock:
            self.stood_in += 1

    def failed(self, model: ServingModel, error: EngineError) -> None:
        """For the other thread, which is woken."""
        self.failures.put((model, error))
        self.attention.set()

    def busy_share(self) -> float:
        """Share of the last seconds that was spent in the model, 0..1 of all that run at a time."""
        now_s = time.monotonic()
        with self._lock:
            took_s = sum(took for at, took in self._runs if now_s - at < WINDOW_S)
            return min(1.0, took_s / WINDOW_S / self._at_a_time)


def queue_state(frames: int, waited: int, before: QueueState, now_s: float) -> QueueState:
    """Whether frames queue, of so many that came lately and so many that found others there; with hysteresis."""
    if frames < _FRAMES_MIN:
        return before
    share = waited / frames
    if share > QUEUE_SHARE:
        return QueueState(True, now_s)
    calm = before.queued_s is None or now_s - before.queued_s >= CALM_S
    return replace(before, queueing=before.queueing and not (share <= SINGLE_SHARE and calm))
