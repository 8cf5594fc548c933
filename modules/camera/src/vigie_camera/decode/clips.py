"""A decoder's side of clips: keeps packets as they pass by, and writes those that are asked for into given memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from vigie_camera.config import ClipMemory
from vigie_camera.decode.preroll import ClipRecording, Kept, PreRoll
from vigie_camera.decode.shared_bytes import SharedBytes
from vigie_camera.decode.wire import ClipOrder, Clipped

# A stream that stops while it is recorded gives what it has, so long after it should have been complete.
_GRACE_S = 3.0
_NOTHING = (
    "no packets are kept: none since it opened, no times in them, or its key frames are too far apart for "
    "clips.bytes; clips are kept of RTSP, HLS and video files"
)


class PacketKeeper:
    """Used by the decoder's one thread. ``answer`` is called with each clip that is finished or cannot be had."""

    def __init__(self, memory: ClipMemory, answer: Callable[[Clipped], None]) -> None:
        """Nothing is kept yet."""
        self._memory, self._answer = memory, answer
        self._roll = PreRoll(memory.seconds, memory.bytes)
        self._stream: Any = None
        self._time_base = Fraction(1, 1)
        self._size = (0, 0)
        self._recordings: list[tuple[ClipRecording, int, int]] = []

    def packet(self, packet: Any) -> None:
        """A packet (PyAV's) that is about to be decoded."""
        if packet.dts is None or not packet.size or not packet.time_base:
            return
        stream = packet.stream
        size = (stream.width, stream.height)
        if stream is not self._stream or size != self._size:
            # Another picture needs another track: what was kept belongs to the former one.
            self.finish()
            self._roll.clear()
            self._stream, self._size, self._time_base = stream, size, packet.time_base
        kept = Kept(
            bytes(packet),
            packet.pts,
            packet.dts,
            packet.duration,
            bool(packet.is_keyframe),
            float(packet.dts * packet.time_base),
        )
        if not self._roll.add(kept):
            self.finish()
            return
        for recording, _, _ in self._recordings:
            recording.add(kept)
        self.look(time.monotonic())

    def order(self, order: ClipOrder, fd: int) -> None:
        """Take a clip; ``fd``: ``order.length`` bytes of memory, taken over."""
        packets = self._roll.since(order.before_s)
        if not packets:
            os.close(fd)
            self._answer(Clipped(order.number, reason=_NOTHING))
            return
        asked_s = packets[-1].at_s
        give_up_at = time.monotonic() + order.after_s + _GRACE_S
        recording = ClipRecording(
            order.number, packets, asked_s, asked_s + order.after_s, give_up_at, self._memory.bytes
        )
        self._recordings.append((recording, fd, order.length))
        self.look(time.monotonic())

    def look(self, now_s: float) -> None:
        """Write what is complete."""
        done = [one for one in self._recordings if one[0].is_done(now_s)]
        self._recordings = [one for one in self._recordings if one not in done]
        for recording, fd, length in done:
            self._write(recording, fd, length)

    def finish(self) -> None:
        """The stream ends or becomes another one: what is there is all there will be."""
        recordings, self._recordings = self._recordings, []
        for recording, fd, length in recordings:
            self._write(recording, fd, length)

    def _write(self, recording: ClipRecording, fd: int, length: int) -> None:
        # Loaded when the first clip is asked for.
        from vigie_camera.decode.mp4 import Mp4Error, write_mp4

        try:
            written = write_mp4(self._stream, self._time_base, recording.packets)
            _copy(written, fd, length)
        except (Mp4Error, OSError) as error:
            codec = self._stream.codec_context.name
            self._answer(Clipped(recording.number, reason=f"an MP4 file cannot hold {codec} ({error})"))
            return
        finally:
            os.close(fd)
        first_s, last_s = recording.packets[0].at_s, recording.packets[-1].at_s
        self._answer(
            Clipped(
                recording.number,
                length=min(len(written), length),
                seconds=last_s - first_s,
                before_s=recording.asked_s - first_s,
                codec=self._stream.codec_context.name,
                size_hw=(self._size[1], self._size[0]),
            )
        )


def _copy(written: bytes, fd: int, length: int) -> None:
    """By a mapping: a decoder's process may write to no file (``nursery``). Raises: OSError."""
    mapped = SharedBytes(fd, 0, length)
    try:
        mapped.array[: len(written)] = np.frombuffer(written, np.uint8)[:length]
    finally:
        mapped.close()
