"""A small picture of a camera on request: nothing is copied while nobody asks."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.vision.convert import fitting_hw, to_bgr
from vigie.vision.planes import Planes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One frame scaled down; ``frame_hw`` is its size before."""

    small_bgr: NDArray[np.uint8]
    frame_hw: tuple[int, int]


class SnapshotDesk:
    """Requests from method threads, answered by the camera's thread with its next frame."""

    def __init__(self) -> None:
        """No request."""
        self._lock = threading.Lock()
        self._wanted: list[tuple[int, Future[Snapshot]]] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for a picture."""
        return bool(self._wanted)

    def request(self, width: int) -> Future[Snapshot]:
        """A picture at most ``width`` pixels wide, once there is a frame."""
        answer: Future[Snapshot] = Future()
        with self._lock:
            self._wanted.append((width, answer))
        return answer

    def look(self, frame: Planes) -> None:
        """Answer what is wanted from this frame."""
        with self._lock:
            wanted, self._wanted = self._wanted, []
        for width, answer in wanted:
            if answer.set_running_or_notify_cancel():
                small_bgr = to_bgr(frame, fitting_hw(frame.size_hw, width))
                answer.set_result(Snapshot(small_bgr, frame.size_hw))
