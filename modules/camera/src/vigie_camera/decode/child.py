"""A decoder's process at work: opens its source, keeps its pace, fills the slots it is given, says what it filled."""

from __future__ import annotations

import os
import socket
import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie.vision.planes import Planes, copy_planes, frame_bytes, planes_of
from vigie_camera.cause import Cause
from vigie_camera.decode.backend import VideoError
from vigie_camera.decode.choice import load_backend
from vigie_camera.decode.clips import PacketKeeper
from vigie_camera.decode.frame import Frame
from vigie_camera.decode.link import Channel, LinkClosedError
from vigie_camera.decode.motion import MotionDetector
from vigie_camera.decode.picture_check import PictureCheck
from vigie_camera.decode.privacy import Privacy
from vigie_camera.decode.sandbox import confine
from vigie_camera.decode.shared_bytes import SharedBytes
from vigie_camera.decode.source import Source, open_source
from vigie_camera.decode.wire import (
    Alive,
    ClipOrder,
    Clipped,
    Ended,
    Filled,
    Formatted,
    FreeSlot,
    Gated,
    Missed,
    News,
    Order,
    SlotLayout,
    SourceFailed,
    SourceOpened,
    Task,
)
from vigie_camera.pace import Pacer

# How often a decoder that waits says that it lives.
ALIVE_S = 1.0
_TASK_S = 10.0
# A live source's first frame waits this long for the memory to put it in.
_FIRST_SLOT_S = 2.0


def preload(backend: str) -> None:
    """Load what every child needs, before the fork."""
    load_backend(backend)


def work(end: socket.socket, backend: str) -> None:
    """The body of a decoder's process. Returns when the module is gone or nothing is left to do."""
    link: Channel[News, Order] = Channel(end, Order)
    try:
        first = link.receive(_TASK_S)
        if first is None or not isinstance(first[0], Task):
            return
        task = first[0]
        try:
            # Before anything of the source is read, also its name.
            sandbox = confine(task)
            source = open_source(task, load_backend(backend))
            link.send(SourceOpened(source.period_s, source.decoder, len(task.masks), sandbox))
            filler = Filler(link, task, source)
            try:
                filler.run()
            finally:
                filler.finish_clips()
        except VideoError as error:
            link.send(SourceFailed(error.cause, error.reason))
        except MemoryError:
            link.send(SourceFailed(Cause.DECODE, "a frame of it does not fit the memory"))
        # Its text may hold the address with its password; the class does not.
        except Exception as error:
            if isinstance(error, LinkClosedError):
                raise
            link.send(SourceFailed(Cause.DECODE, f"the decoder failed ({type(error).__name__})"))
    except LinkClosedError:
        return


class Filler:
    """From the opened source into slots, until its end."""

    def __init__(self, link: Channel[News, Order], task: Task, source: Source) -> None:
        """Nothing is decoded yet."""
        self._link, self._task, self._source = link, task, source
        self._pacer = Pacer(task.rhythm, task.fps_cap)
        self._keep = task.rhythm == "max"
        self._picture = PictureCheck(tamper=task.tamper) if task.options.live else None
        self._slots: deque[int] = deque()
        self._memory: SlotLayout | None = None
        self._mapped = SharedBytes.none()
        self._bytes: NDArray[np.uint8] | None = None
        self._frame: Frame | None = None
        self._taken = 0
        self._privacy = Privacy(task.masks) if task.masks else None
        self._private: Planes | None = None
        self._motion = MotionDetector(task.motion, task.masks) if task.motion else None
        # A clip is what the camera sent: of a camera with masks there is none, whatever it is asked.
        self._clips = PacketKeeper(task.clips, link.send) if task.clips and not task.masks else None
        if self._clips is not None:
            source.watch(self._clips.packet)

    def run(self) -> None:
        """Raises: VideoError: lost. LinkClosedError: the module is gone."""
        while self._task.frames is None or self._taken < self._task.frames:
            frame = self._source.next()
            if frame is None:
                if not (self._task.loop and self._taken and self._source.rewind()):
                    break
                self._pacer.restart()
                continue
            if not self._pacer.admits(frame.pace_s):
                continue
            self._wait(self._pacer.wait_s(frame.pace_s, time.monotonic()))
            self._take(frame)
        self.finish_clips()
        damage = self._source.damage
        self._link.send(Ended(self._taken, damage.refused, damage.corrupt, self._source.promised, damage.ended_early))
        # The module ends this process once it has read that.
        while self._link.receive(None) is not None:
            pass

    def finish_clips(self) -> None:
        """The source is lost or has ended."""
        if self._clips is not None:
            self._clips.finish()

    def _take(self, frame: Frame) -> None:
        if self._frame is None or frame.format != self._frame.format:
            self._announce(frame)
        self._frame = frame
        self._drain(0.0)
        own: Planes | None = None
        if frame.luma is None and self._motion is not None:
            own = self._unseen(frame.format)
            frame.fill(own)
        plane = frame.luma if own is None else own.arrays[0]
        still_s = dark_s = strange_s = 0.0
        if self._picture is not None and plane is not None:
            now_s = time.monotonic()
            still_s, dark_s = self._picture.look(plane, now_s, frame.keys)
            strange_s = self._picture.strange_s(plane, now_s)
        if self._motion is not None and plane is not None and not self._motion.passes(plane, frame.pace_s):
            self._link.send(Gated(time.monotonic_ns(), still_s, dark_s, self._source.damage.total, strange_s))
            return
        while self._keep and not self._slots:
            self._drain(ALIVE_S)
            if not self._slots:
                self._link.send(Alive())
        captured_ns, wall_s = time.monotonic_ns(), time.time()
        self._taken += 1
        if not self._slots or self._memory is None or self._bytes is None:
            self._link.send(Missed(captured_ns))
            return
        slot = self._slots.popleft()
        begin = slot * self._memory.stride
        planes = planes_of(self._bytes[begin : begin + frame_bytes(frame.format)], frame.format)
        self._put(frame, planes, own)
        self._link.send(
            Filled(
                self._memory.generation,
                slot,
                captured_ns,
                wall_s,
                frame.media_s,
                still_s,
                dark_s,
                self._source.damage.total,
                strange_s,
            )
        )

    def _put(self, frame: Frame, slot: Planes, own: Planes | None) -> None:
        """Write the frame into shared memory, which never holds more of it than the masks leave.

        ``own``: where it is already.
        """
        if own is None and self._privacy is None:
            frame.fill(slot)
            return
        if own is None:
            own = self._unseen(frame.format)
            frame.fill(own)
        if self._privacy is not None:
            self._privacy.burn(own)
        copy_planes(own.arrays, slot)

    def _unseen(self, pixel_format: PixelFormat) -> Planes:
        """Memory of this process alone for one frame."""
        if self._private is None or self._private.format != pixel_format:
            self._private = planes_of(np.empty(frame_bytes(pixel_format), np.uint8), pixel_format)
        return self._private

    def _announce(self, frame: Frame) -> None:
        """Another format: what was handed out is void, and the module makes room for the new one."""
        self._link.send(Formatted(frame.format))
        self._slots.clear()
        self._memory = None
        deadline = time.monotonic() + _FIRST_SLOT_S
        while not self._slots and (self._keep or time.monotonic() < deadline):
            if not self._drain(ALIVE_S):
                self._link.send(Alive())

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self._drain(min(left, ALIVE_S)) and left > ALIVE_S:
                self._link.send(Alive())

    def _drain(self, timeout_s: float) -> bool:
        """Take in what the module said, waiting ``timeout_s`` for the first of it; whether there was any."""
        heard = False
        while (received := self._link.receive(0.0 if heard else timeout_s)) is not None:
            heard = True
            order, fd = received
            if isinstance(order, SlotLayout) and fd is not None:
                self._map(order, fd)
            elif (
                isinstance(order, FreeSlot) and self._memory is not None and order.generation == self._memory.generation
            ):
                self._slots.append(order.slot)
            elif isinstance(order, ClipOrder) and fd is not None:
                self._order_clip(order, fd)
        if self._clips is not None:
            self._clips.look(time.monotonic())
        return heard

    def _order_clip(self, order: ClipOrder, fd: int) -> None:
        if self._clips is None:
            os.close(fd)
            self._link.send(Clipped(order.number, reason="this camera keeps no packets"))
        else:
            self._clips.order(order, fd)

    def _map(self, memory: SlotLayout, fd: int) -> None:
        """Only the slots' own pages: the ring's header and sequences stay out of a decoder's reach, and with the
        descriptor closed it cannot cut the file short either.
        """
        self._bytes = None
        self._mapped.close()
        try:
            self._mapped = SharedBytes(fd, memory.offset, memory.length)
        finally:
            os.close(fd)
        self._bytes = self._mapped.array
        self._memory = memory
        self._slots.clear()
