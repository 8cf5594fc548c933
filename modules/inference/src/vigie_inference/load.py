"""What the inference thread tells about itself: how busy it is, and which engine failed it."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque

from vigie.errors import EngineError
from vigie_inference.serving import ServingModel

# Long enough to hold some frames of a slow camera, short enough to follow a change of scene.
WINDOW_S = 5.0


class Load:
    """Written by the inference thread, read by the one that chooses the runtime."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: deque[tuple[float, float]] = deque(maxlen=2000)
        self.failures: queue.SimpleQueue[tuple[ServingModel, EngineError]] = queue.SimpleQueue()
        self.attention = threading.Event()

    def ran(self, took_s: float) -> None:
        with self._lock:
            self._runs.append((time.monotonic(), took_s))

    def failed(self, model: ServingModel, error: EngineError) -> None:
        """For the other thread, which is woken."""
        self.failures.put((model, error))
        self.attention.set()

    def busy_share(self) -> float:
        """Share of the last seconds that was spent in the model, 0..1."""
        now_s = time.monotonic()
        with self._lock:
            took_s = sum(took for at, took in self._runs if now_s - at < WINDOW_S)
        return min(1.0, took_s / WINDOW_S)
