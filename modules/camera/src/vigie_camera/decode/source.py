"""What a decoder's process reads frames from: a video through the back end, or the renderer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from vigie.vision.planes import copy_planes
from vigie_camera.decode.backend import Backend, Damage, Video
from vigie_camera.decode.folder import FolderVideo, is_pictures
from vigie_camera.decode.frame import Frame
from vigie_camera.decode.wire import Task
from vigie_camera.source_policy import policy_of


class Source(Protocol):
    """Open, and read by one thread."""

    period_s: float
    promised: int
    decoder: str
    damage: Damage

    def next(self) -> Frame | None:
        """None: the end. Raises: VideoError: lost."""

    def rewind(self) -> bool:
        """Begin again. False: cannot."""

    def watch(self, watcher: Callable[[Any], None]) -> None:
        """Call ``watcher`` with each packet before it is decoded, where the library shows packets."""


def open_source(task: Task, backend: Backend) -> Source:
    """Raises: VideoError."""
    if task.kind == "synthetic":
        from vigie_camera.decode.scene import SceneSource

        return SceneSource(task.address)
    return VideoSource(task, backend)


def _open_video(task: Task, backend: Backend) -> Video:
    if task.kind == "web":
        # Loaded when needed: HTTP and TLS take memory that other cameras' decoders save.
        from vigie_camera.decode.web_video import open_web_video

        policy = policy_of(task.networks)
        return open_web_video(task.address, policy, task.options, backend, task.interval_s)
    if not task.options.live and is_pictures(task.address):
        return FolderVideo(task.address, backend.pictures(task.options.width_max), task.interval_s)
    return backend.open(task.address, task.options)


class VideoSource:
    """A file or a stream."""

    def __init__(self, task: Task, backend: Backend) -> None:
        """Open it."""
        self._task, self._backend = task, backend
        self._watcher: Callable[[Any], None] | None = None
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
        return Frame(
            decoded.format,
            pace_s,
            media_s,
            lambda planes: copy_planes(decoded.arrays, planes),
            decoded.keys,
            decoded.arrays[0],
        )

    def rewind(self) -> bool:
        # Opened again rather than seeked: a seek lands on a key frame, and not every container can.
        self._video.close()
        self._video = self._open()
        self.damage = self._video.damage
        self._last_s = -self.period_s
        return True

    def watch(self, watcher: Callable[[Any], None]) -> None:
        self._watcher = watcher
        self._video.packets.watchers.append(watcher)

    def _open(self) -> Video:
        video = _open_video(self._task, self._backend)
        self.period_s, self.promised = video.facts.period_s, video.facts.promised
        by = f", {video.facts.decoded_by}" if video.facts.decoded_by else ""
        self.decoder = f"{self._backend.name} {video.facts.codec}{by}"
        if self._watcher is not None:
            video.packets.watchers.append(self._watcher)
        return video
