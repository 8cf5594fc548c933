"""A small picture of a camera on request: nothing is copied while nobody asks.

Where the twin has classes blurred, the picture waits until inference has said where they are in this very frame; if it
does not say, the whole picture is blurred.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.blur import BlurAnswer
from vigie.frames.shown import Blurred
from vigie.vision.blur import blur_all, blur_boxes
from vigie.vision.convert import fitting_hw, to_bgr
from vigie.vision.planes import Planes

# Inference may drop the frame that was asked about; after this long another one is asked about.
_ASK_AGAIN_S = 0.7


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One frame scaled down; ``frame_hw`` is its size before."""

    small_bgr: NDArray[np.uint8]
    frame_hw: tuple[int, int]
    blurred: Blurred = "none"


@dataclass(slots=True, eq=False)
class _Wanted:
    """``held``: pictures that wait for their answers, by trace; never handed out as they are."""

    width: int
    answer: Future[Snapshot]
    asked_at: float = float("-inf")
    held: dict[str, Snapshot] = field(default_factory=dict)


class SnapshotDesk:
    """Requests from method threads, answered by the camera's thread with its next frame."""

    def __init__(self, *, blurs: bool = False) -> None:
        """No request. ``blurs``: a picture waits for inference."""
        self._lock = threading.Lock()
        self._wanted: list[_Wanted] = []
        self._blurs = blurs

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for a picture."""
        return bool(self._wanted)

    def request(self, width: int) -> Future[Snapshot]:
        """A picture at most ``width`` pixels wide, once there is a frame."""
        answer: Future[Snapshot] = Future()
        with self._lock:
            self._wanted.append(_Wanted(width, answer))
        return answer

    def look(self, frame: Planes, trace: str, now_s: float) -> bool:
        """Answer what is wanted from this frame. True: inference has to be asked about frame ``trace`` first."""
        ask = False
        with self._lock:
            self._wanted = [one for one in self._wanted if not one.answer.cancelled()]
            for one in list(self._wanted):
                if self._blurs and now_s - one.asked_at < _ASK_AGAIN_S:
                    continue
                taken = Snapshot(to_bgr(frame, fitting_hw(frame.size_hw, one.width)), frame.size_hw)
                if self._blurs:
                    one.held[trace], one.asked_at, ask = taken, now_s, True
                else:
                    self._answer(one, taken)
        return ask

    def tell(self, told: BlurAnswer) -> None:
        """Inference has seen frame ``told.trace``. From any thread."""
        with self._lock:
            for one in list(self._wanted):
                taken = one.held.get(told.trace)
                if taken is None:
                    continue
                if told.boxes is None:
                    self._answer(one, _hidden(taken))
                    continue
                blur_boxes(taken.small_bgr, told.boxes, taken.frame_hw)
                self._answer(one, Snapshot(taken.small_bgr, taken.frame_hw, "classes"))

    def give_up(self, answer: Future[Snapshot]) -> Snapshot | None:
        """Nobody has said where the classes are: the last frame, blurred as a whole; None: there was no frame."""
        with self._lock:
            mine = next((one for one in self._wanted if one.answer is answer), None)
            if mine is None:
                return None
            self._wanted.remove(mine)
            held = list(mine.held.values())
        return _hidden(held[-1]) if held else None

    def _answer(self, one: _Wanted, taken: Snapshot) -> None:
        """The lock is held."""
        self._wanted.remove(one)
        if one.answer.set_running_or_notify_cancel():
            one.answer.set_result(taken)


def _hidden(taken: Snapshot) -> Snapshot:
    blur_all(taken.small_bgr)
    return Snapshot(taken.small_bgr, taken.frame_hw, "everything")
