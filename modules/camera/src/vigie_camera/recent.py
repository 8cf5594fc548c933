"""Where the newest frames of each camera lie, for who asks for one of them by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict

from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import RingReference

# Frames that are in no ring are in these notes themselves.
_INLINE = 80
_Place = tuple[str, int]


class Recent:
    """Thread-safe. One note for each slot of a camera's ring: a frame whose slot has another one is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_camera: dict[str, OrderedDict[_Place, FrameItem]] = {}

    def note(self, item: FrameItem) -> None:
        with self._lock:
            frames = self._by_camera.setdefault(item.camera, OrderedDict())
            pixels = item.pixels
            if not isinstance(pixels, RingReference):
                frames["", item.seq] = item
                if len(frames) > _INLINE:
                    frames.popitem(last=False)
                return
            if frames and next(iter(frames))[0] != pixels.ring:
                frames.clear()  # the camera writes another ring, and the former has lost its name
            frames[pixels.ring, pixels.slot] = item

    def find(self, camera: str, seq: int, trace: str) -> FrameItem | None:
        """None: too long ago, or of another start."""
        with self._lock:
            frames = list(self._by_camera.get(camera, {}).values())
        return next((one for one in frames if one.seq == seq and one.trace == trace), None)
