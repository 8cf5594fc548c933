"""Where the newest frames of each camera lie, for who asks for one of them by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict

from vigie.contracts.frames import FrameItem

# More than any ring has slots: whether the pixels are still there is the ring's to say.
_FRAMES = 80


class Recent:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_camera: dict[str, OrderedDict[int, FrameItem]] = {}

    def note(self, item: FrameItem) -> None:
        with self._lock:
            frames = self._by_camera.setdefault(item.camera, OrderedDict())
            frames[item.seq] = item
            if len(frames) > _FRAMES:
                frames.popitem(last=False)

    def find(self, camera: str, seq: int, trace: str) -> FrameItem | None:
        """None: too long ago, or of another start."""
        with self._lock:
            frames = self._by_camera.get(camera)
            found = None if frames is None else frames.get(seq)
        return found if found is not None and found.trace == trace else None
