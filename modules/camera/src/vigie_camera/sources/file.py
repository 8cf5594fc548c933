"""A video file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vigie.errors import SourceOpenError
from vigie.log import get_logger
from vigie_camera.sources.opencv import OpencvVideo

log = get_logger("camera.file")

_TIMEOUT_S = 10.0  # a file on a network share that went away
_ENDED_EARLY_SHARE = 0.95


class FileSource:
    """Decodes one file from its beginning; times are those of its frames."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises: SourceOpenError: missing, unreadable, or no video.
        """
        self._path = path
        try:
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise SourceOpenError(str(path), f"{error.strerror}; check the path and the module's mounts") from None
        if empty:
            raise SourceOpenError(str(path), "is empty; copy it again")
        self._video = self._open()
        self.period_s = self._video.period_s
        self._index = -1
        self._last_s = -self.period_s

    def grab(self) -> float | None:
        if not self._video.grab():
            self._say_if_early()
            return None
        self._index += 1
        # Some files have no times, or repeat them: then the frame rate counts.
        media_s = self._video.media_s()
        if media_s <= self._last_s:
            media_s = self._last_s + self.period_s
        self._last_s = media_s
        return media_s

    def read(self, out_bgr: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        frame_bgr = self._video.read(out_bgr)
        if frame_bgr is None:
            raise SourceOpenError(str(self._path), f"frame {self._index} cannot be converted to BGR")
        return frame_bgr

    def size_hw(self) -> tuple[int, int]:
        return self._video.size_hw()

    def rewind(self) -> bool:
        # Opened again rather than seeked: a seek lands on a key frame, and not every container can.
        if self._index < 0:
            return False
        self._video.close()
        self._video = self._open()
        self._index, self._last_s = -1, -self.period_s
        return True

    def close(self) -> None:
        self._video.close()

    def _open(self) -> OpencvVideo:
        video = OpencvVideo(str(self._path), open_timeout_s=_TIMEOUT_S, read_timeout_s=_TIMEOUT_S)
        if not video.opened or min(video.size_hw()) <= 0:
            video.close()
            raise SourceOpenError(str(self._path), "is no video that FFmpeg can decode; convert it to H.264 in MP4")
        return video

    def _say_if_early(self) -> None:
        promised = self._video.frame_count
        if self._index + 1 < promised * _ENDED_EARLY_SHARE:
            log.warning("file_ended_early", source=str(self._path), frames=self._index + 1, promised=promised)
