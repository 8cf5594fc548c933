"""Decoding by hardware, used only where its first pictures equal those of the software decoder.

A driver that gives grey, another frame or swapped colours raises nothing, and FFmpeg falls back to software without a
word. So both decoders get the same packets at first, and what they show is compared (docs/cameras.md).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

PICTURES: Final = 8
# Of 255. H.264, HEVC, VP9 and AV1 are defined to the bit; JPEG's transform may round differently.
_DIFFERENCE_MAX: Final = 1.0
# Standard deviation of a picture's luma below which two decoders would agree on next to nothing.
_FLAT: Final = 4.0
# A decoder holds back some pictures; so many without a partner are no delay any more.
_BEHIND_MAX: Final = 32


class HardwareDoubtError(Exception):
    """The hardware's pictures are not proven; the text is a clause for an operator."""


@dataclass(slots=True)
class DecoderComparison:
    """The same packets through both decoders. ``hardware``, ``software``: frames in the order they were shown."""

    wanted: int = PICTURES
    _hardware: deque[VideoFrame] = field(default_factory=deque)
    _software: deque[VideoFrame] = field(default_factory=deque)
    compared: int = 0
    _told_apart: bool = False

    @property
    def proven(self) -> bool:
        return self.compared >= self.wanted and self._told_apart

    def hardware(self, frame: VideoFrame) -> None:
        """Raises: HardwareDoubtError."""
        self._hardware.append(frame)
        self._compare()

    def software(self, frame: VideoFrame) -> None:
        """Raises: HardwareDoubtError."""
        self._software.append(frame)
        self._compare()

    def end(self) -> None:
        """The stream has no more packets. Raises: HardwareDoubtError: too few pictures were compared."""
        if not self.proven:
            raise HardwareDoubtError(f"its pictures cannot be judged by {self.compared} of a short or flat video")

    def _compare(self) -> None:
        while self._hardware and self._software:
            self._pair(self._hardware.popleft(), self._software.popleft())
        if max(len(self._hardware), len(self._software)) > _BEHIND_MAX:
            raise HardwareDoubtError("it gives more or fewer pictures than the software decoder")
        if self.compared >= 4 * self.wanted and not self._told_apart:
            raise HardwareDoubtError("the pictures are too flat to prove it by")

    def _pair(self, hardware: VideoFrame, software: VideoFrame) -> None:
        if (hardware.width, hardware.height) != (software.width, software.height):
            raise HardwareDoubtError(
                f"it gives {hardware.width}x{hardware.height} where the software decoder gives "
                f"{software.width}x{software.height}"
            )
        if hardware.pts != software.pts:
            raise HardwareDoubtError("it gives pictures in another order than the software decoder")
        ours, theirs = _pixels(software), _pixels(hardware)
        difference = float(np.mean(np.abs(ours.astype(np.int16) - theirs)))
        if difference > _DIFFERENCE_MAX:
            raise HardwareDoubtError(
                f"picture {self.compared + 1} differs from the software decoder's by {difference:.1f} of 255"
            )
        self.compared += 1
        self._told_apart = self._told_apart or float(np.std(ours[: software.height])) > _FLAT


def _pixels(frame: VideoFrame) -> NDArray[np.uint8]:
    """Luma rows, then chroma."""
    return np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8)
