"""What a decoder's process reads frames from: a video through the back end, or the renderer."""

from __future__ import annotations

import time
from typing import Protocol

from vigie.vision.planes import copy_planes
from vigie_camera.decode.backend import Backend, Damage, Video
from vigie_camera.decode.frame import Frame
from vigie_camera.decode.wire import Task


class Source(Protocol):
    """Open, and read by one thread."""

    period_s: float
    promised: int
    decoder: str
    damage: Damage

    def next(self) -> Frame | None:
        """None: the end. Raises: DecodeError: lost."""

    def rewind(self) -> bool:
        """Begin again. False: cannot."""


def open_source(task: Task, backend: Backend) -> Source:
    """Raises: DecodeError."""
    if task.kind == "synthetic":
        from vigie_camera.decode.scene import SceneSource

        return SceneSource(task.address)
    return VideoSource(task, backend)


class VideoSource:
    """A file or a stream."""

    def __init__(self, task: Task, backend: Backend) -> None:
        """Open it."""
        self._task, self._backend = task, backend
        self._video = self._open()
        self.damage = self._video.damage
        self._last_s = -self.period_s

    def next(self) -> Frame | None:
        decoded = self._video.next()
        if decoded is None:
            return None
        media_s = decoded.media_s
        if self._task.options.live:
            # The camera's own clock may jump; the moment of arrival does not.
            pace_s = time.monotonic()
        else:
            # Some files have no times, or repeat them: then the frame rate counts.
            pace_s = media_s if media_s is not None and media_s > self._last_s else self._last_s + self.period_s
            self._last_s = media_s = pace_s
        return Frame(decoded.format, pace_s, media_s, lambda planes: copy_planes(decoded.arrays, planes), decoded.keys)

    def rewind(self) -> bool:
        # Opened again rather than seeked: a seek lands on a key frame, and not every container can.
        self._video.close()
        self._video = self._open()
        self.damage = self._video.damage
        self._last_s = -self.period_s
        return True

    def _open(self) -> Video:
        video = self._backend.open(self._task.address, self._task.options)
        self.period_s, self.promised = video.facts.period_s, video.facts.promised
        self.decoder = f"{self._backend.name} {video.facts.codec}"
        return video
