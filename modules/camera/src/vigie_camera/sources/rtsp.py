"""An RTSP camera, over TCP."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from vigie.errors import SourceOpenError
from vigie.log import SecretUrl
from vigie_camera.sources.opencv import OpencvVideo

_OPEN_TIMEOUT_S = 10.0


class RtspSource:
    """One connection; when it is lost, the capture loop makes the next."""

    def __init__(self, url: SecretUrl, patience_s: float) -> None:
        """Connect. ``patience_s``: a read that takes longer means that the camera is lost.

        Raises: SourceOpenError: no answer, refused, wrong credentials, or no video in it. FFmpeg does not tell which.
        """
        self._shown = str(url)
        self._patience_s = patience_s
        # A little less, so that the loss is told within the patience, not after it.
        self._read_timeout_s = 0.9 * patience_s
        self._video = OpencvVideo(url.reveal(), open_timeout_s=_OPEN_TIMEOUT_S, read_timeout_s=self._read_timeout_s)
        if not self._video.opened:
            self._video.close()
            raise SourceOpenError(
                self._shown, "no video; check that the camera is reachable, its path, and user and password"
            )
        self.period_s = self._video.period_s

    def grab(self) -> float | None:
        began = time.monotonic()
        grabbed = self._video.grab()
        # After a read that timed out FFmpeg still hands out, one time-out each, the frames its decoder held back.
        if not grabbed or time.monotonic() - began >= self._read_timeout_s:
            raise SourceOpenError(self._shown, f"lost: the connection ended, or no picture for {self._patience_s:g} s")
        # The camera's own clock may jump; the moment of arrival does not.
        return time.monotonic()

    def read(self, out_bgr: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        frame_bgr = self._video.read(out_bgr)
        if frame_bgr is None:
            raise SourceOpenError(self._shown, "sent a picture that cannot be converted to BGR")
        return frame_bgr

    def size_hw(self) -> tuple[int, int]:
        return self._video.size_hw()

    def rewind(self) -> bool:
        return False

    def close(self) -> None:
        self._video.close()
