"""One video opened by OpenCV's FFmpeg: what files and network streams share."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_FALLBACK_PERIOD_S = 1 / 25
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


def prepare_opencv() -> None:
    """Settings of the whole process; called once at start, before any thread.

    One thread each for OpenCV and for decoding: a frame-threaded decoder holds back as many frames as it has threads,
    and pools cost memory per camera. FFmpeg and OpenCV print the URL they cannot open, password included: silenced;
    what went wrong is said by us, without it.
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    # UDP loses packets on any busy link and shows them as smeared pictures that a detector believes in.
    os.environ.setdefault(_OPTIONS, "rtsp_transport;tcp")
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class OpencvVideo:
    """An opened ``cv2.VideoCapture``; ``opened`` tells whether it is."""

    def __init__(self, address: str, *, open_timeout_s: float, read_timeout_s: float) -> None:
        """``address`` may hold a secret: it is passed on and not kept."""
        options = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(open_timeout_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(read_timeout_s * 1000),
            cv2.CAP_PROP_N_THREADS, 1,
        ]  # fmt: skip
        self._capture: Any = cv2.VideoCapture()
        # An exception of OpenCV may quote the address: it is swallowed here, "not opened" says enough.
        with contextlib.suppress(cv2.error):
            self._capture.open(address, cv2.CAP_FFMPEG, options)
        self.opened = bool(self._capture.isOpened())
        self._last_shape: tuple[int, int] | None = None

    @property
    def period_s(self) -> float:
        """Seconds between frames as the container says; 1/25 where it says nothing sensible."""
        fps = float(self._capture.get(cv2.CAP_PROP_FPS)) if self.opened else 0.0
        return 1 / fps if 0.01 <= fps <= 1000 else _FALLBACK_PERIOD_S

    @property
    def frame_count(self) -> int:
        """As the container says; 0 or less: unknown."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def size_hw(self) -> tuple[int, int]:
        """Of the last frame read, else what the container says."""
        return self._last_shape or (
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        )

    def grab(self) -> bool:
        """Receive and decode the next frame; blocks up to the read time-out."""
        return bool(self._capture.grab())

    def media_s(self) -> float:
        """Time of the grabbed frame."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def read(self, out_bgr: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Convert the grabbed frame to BGR, into ``out_bgr`` where that fits; None: damaged."""
        done, frame_bgr = self._capture.retrieve(out_bgr)
        if not done or frame_bgr is None or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3:
            return None
        self._last_shape = (frame_bgr.shape[0], frame_bgr.shape[1])
        return np.asarray(frame_bgr, np.uint8)

    def rewind(self) -> bool:
        return bool(self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0))

    def close(self) -> None:
        self._capture.release()
