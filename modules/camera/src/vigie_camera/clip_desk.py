"""Clips on request: method threads ask, the camera's thread passes the question on and the answer back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from vigie.errors import MethodRefusedError
from vigie_camera.decode.wire import ClipOrder, Clipped

# What an MP4 file needs beside its packets: 40 bytes for each of 240 per second, and its head.
_OVERHEAD_BYTES = 1 << 20
_ASKED_MAX = 4


@dataclass(frozen=True, slots=True)
class FinishedClip:
    """``fd``: memory whose first ``facts.length`` bytes are the file, the receiver's to close; ``ended_wall_s``: when
    its last packet had come.
    """

    fd: int
    facts: Clipped
    ended_wall_s: float


def give_back(answer: Future[FinishedClip]) -> None:
    """Of a clip that nobody waits for any longer."""
    if not answer.cancelled() and answer.exception() is None:
        os.close(answer.result().fd)


@dataclass(frozen=True, slots=True)
class _Wanted:
    before_s: float
    after_s: float
    answer: Future[FinishedClip]


class ClipDesk:
    """Thread-safe."""

    def __init__(self) -> None:
        """No request."""
        self._lock = threading.Lock()
        self._wanted: list[_Wanted] = []
        self._closed = False

    def request(self, before_s: float, after_s: float) -> Future[FinishedClip]:
        """Raises: MethodRefusedError: 409, too many are asked for already; 503, the camera is gone."""
        wanted = _Wanted(before_s, after_s, Future())
        with self._lock:
            self._wanted = [one for one in self._wanted if not one.answer.cancelled()]
            if self._closed:
                raise _lost()
            if len(self._wanted) >= _ASKED_MAX:
                raise MethodRefusedError(409, f"{_ASKED_MAX} clips of this camera wait already; ask again later")
            self._wanted.append(wanted)
        return wanted.answer

    def take(self) -> list[_Wanted]:
        """What nobody has passed on yet."""
        if not self._wanted:
            return []
        with self._lock:
            wanted, self._wanted = self._wanted, []
        return [one for one in wanted if one.answer.set_running_or_notify_cancel()]

    def close(self) -> None:
        """The camera is gone, or has another configuration: nobody will pass on what waits."""
        with self._lock:
            wanted, self._wanted, self._closed = self._wanted, [], True
        for one in wanted:
            if one.answer.set_running_or_notify_cancel():
                one.answer.set_exception(_lost())


def _lost() -> MethodRefusedError:
    return MethodRefusedError(503, "the camera was lost or changed meanwhile; ask again")


class ClipOrders:
    """What one decoder has been asked for. Used by the camera's thread."""

    def __init__(self, desk: ClipDesk, bytes_max: int) -> None:
        """``bytes_max``: of the packets of one clip."""
        self._desk, self._length = desk, bytes_max + _OVERHEAD_BYTES
        self._number = 0
        self._out: dict[int, tuple[_Wanted, int]] = {}

    def pass_on(self) -> Iterator[tuple[ClipOrder, int]]:
        """Orders for the decoder, each with the descriptor to send along; it stays ours."""
        if len(self._out) >= _ASKED_MAX:
            return
        for wanted in self._desk.take():
            try:
                fd = os.memfd_create("vigie-clip", os.MFD_CLOEXEC)
                os.ftruncate(fd, self._length)
            except OSError as error:
                wanted.answer.set_exception(MethodRefusedError(503, f"no memory for a clip ({error.strerror})"))
                continue
            self._number += 1
            self._out[self._number] = (wanted, fd)
            yield ClipOrder(self._number, wanted.before_s, wanted.after_s, self._length), fd

    def answer(self, news: Clipped, wall_s: float) -> None:
        """The decoder has written one, or says why not."""
        found = self._out.pop(news.number, None)
        if found is None:
            return
        wanted, fd = found
        if news.reason is not None or not 0 < news.length <= self._length:
            os.close(fd)
            wanted.answer.set_exception(MethodRefusedError(409, news.reason or "the decoder gave no clip"))
        else:
            wanted.answer.set_result(FinishedClip(fd, news, wall_s))

    def close(self) -> None:
        """The decoder is gone."""
        for wanted, fd in self._out.values():
            os.close(fd)
            wanted.answer.set_exception(_lost())
        self._out.clear()
