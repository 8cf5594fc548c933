"""``up --record``: what is seen, drawn into the pictures, as a video per camera."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.plurals import counted
from vigie.vision.draw import Palette, draw_detections
from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.page_pictures import PageError, PagePicture, page_pictures

FPS_MAX = 30.0
WIDTH_MAX = 3840
_MILLISECOND = Fraction(1, 1000)
_SERVED_WITHIN_S = 60.0


class VideoWriter:
    """One MP4. Playable also if the process is killed: it is written in fragments."""

    def __init__(self, path: Path) -> None:
        """Raises: UsageError: the file cannot be made."""
        self._path = path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise UsageError(f"cannot write {path} ({error.strerror})") from error
        flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
        self._container: Any = av.open(self._file, "w", format="mp4", options=flags)
        self._stream: Any = None
        self._palette = Palette()
        self._begun: datetime | None = None
        self._last_ms = -1
        self.pictures = 0

    def add(self, picture: PagePicture) -> None:
        """Draw and encode; its time is that of its capture. An older picture than the last is left out."""
        frame_bgr = picture.frame_bgr()
        self._begun = self._begun or picture.captured_at
        at_ms = round((picture.captured_at - self._begun).total_seconds() * 1000)
        if at_ms <= self._last_ms:
            return
        if picture.detections is not None:
            draw_detections(frame_bgr, picture.detections, picture.frame_hw, palette=self._palette)
        frame = av.VideoFrame.from_ndarray(self._fitted(frame_bgr), format="bgr24")
        frame.pts, frame.time_base = at_ms, _MILLISECOND
        self._container.mux(self._stream.encode(frame))
        self._last_ms = at_ms
        self.pictures += 1

    def close(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._file.close()
        if not self.pictures:
            self._path.unlink(missing_ok=True)

    def _fitted(self, frame_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Of the video's size, which is the first picture's, with even sides as the codec wants them."""
        if self._stream is None:
            height, width = (side - side % 2 for side in frame_bgr.shape[:2])
            self._stream = self._container.add_stream("libx264", rate=int(FPS_MAX))
            self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
            self._stream.codec_context.time_base = _MILLISECOND
            self._stream.options = {"preset": "veryfast", "crf": "23", "bf": "0"}
        size = (self._stream.width, self._stream.height)
        if frame_bgr.shape[1::-1] == size:
            return frame_bgr
        return np.asarray(cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


class Recording:
    """Videos of some cameras, taken from the page of a run."""

    def __init__(self, path: Path, cameras: list[str]) -> None:
        """Args: path: of the video; with several cameras each has its name before the ending.

        Raises: UsageError: a file cannot be made.
        """
        self.fps, self.width = FPS_MAX, WIDTH_MAX
        self.files = {camera: path if len(cameras) == 1 else named(path, camera) for camera in cameras}
        self._videos = {camera: VideoWriter(file) for camera, file in self.files.items()}
        self._task: asyncio.Task[None] | None = None
        self._failed: PageError | None = None

    def start(self, address: str) -> None:
        """Begin to take pictures of the page at ``address``, as soon as it is served."""
        self._task = asyncio.create_task(self._run(address), name="local.recording")

    async def stop(self) -> None:
        """Write the files to their ends."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for video in self._videos.values():
            video.close()

    def in_words(self) -> list[str]:
        """A sentence for each camera, and why there is nothing."""
        said = [
            f"recorded {counted(video.pictures, 'picture')} of {camera} into {self.files[camera]}"
            if video.pictures
            else f"nothing of {camera} was recorded"
            for camera, video in self._videos.items()
        ]
        return [*said, *([str(self._failed)] if self._failed else [])]

    async def _run(self, address: str) -> None:
        pictures = page_pictures(address, self.files, width=WIDTH_MAX, fps=FPS_MAX, wait_s=_SERVED_WITHIN_S)
        try:
            async for picture in pictures:
                await asyncio.to_thread(self._videos[picture.camera].add, picture)
        except PageError as error:
            self._failed = error


def named(path: Path, camera: str) -> Path:
    return path.with_name(f"{path.stem}-{camera}{path.suffix}")
