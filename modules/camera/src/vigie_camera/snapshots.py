"""A small picture of a camera on request: nothing is copied while nobody asks."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


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

    def request(self, width: int) -> Future[Snapshot]:
        """A picture at most ``width`` pixels wide, once there is a frame."""
        answer: Future[Snapshot] = Future()
        with self._lock:
            self._wanted.append((width, answer))
        return answer

    def look(self, frame_bgr: NDArray[np.uint8]) -> None:
        """Answer what is wanted from this frame."""
        if not self._wanted:
            return
        with self._lock:
            wanted, self._wanted = self._wanted, []
        for width, answer in wanted:
            if answer.set_running_or_notify_cancel():
                answer.set_result(_shrink(frame_bgr, width))


def _shrink(frame_bgr: NDArray[np.uint8], width: int) -> Snapshot:
    height, full = frame_bgr.shape[:2]
    if full <= width:
        return Snapshot(frame_bgr.copy(), (height, full))
    size_wh = (width, max(1, round(height * width / full)))
    return Snapshot(np.asarray(cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8), (height, full))
