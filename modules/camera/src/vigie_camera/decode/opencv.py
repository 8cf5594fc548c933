"""The back end on OpenCV, whose FFmpeg is LGPL: BGR frames, for images that may not ship x264 and x265 (ADR 0022).

It lacks: planes, turning and square pixels other than FFmpeg's own rotation, causes finer than a probe of the host,
media of more than 8 bits without loss of speed, and interlaced video, which it is caught at and refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie_camera.cause import REMEDY, Cause
from vigie_camera.decode.backend import (
    NOT_A_VIDEO,
    Body,
    Damage,
    Decoded,
    PacketTap,
    PictureError,
    VideoError,
    VideoFacts,
    VideoOptions,
    tls_options,
)
from vigie_camera.decode.reasons import is_network, reach
from vigie_camera.decode.stills import picture_codec
from vigie_camera.usb.address import DEVICE

_FALLBACK_PERIOD_S: Final = 1 / 25
_OPTIONS: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_LOG_LEVEL: Final = "OPENCV_FFMPEG_LOGLEVEL"
_ERRORS: Final = "16"  # AV_LOG_ERROR
# After a frame that cannot be decoded OpenCV says "no"; a file goes on behind it, and this many in a row are its end.
_TRIES: Final = 64


class OpencvBackend:
    """See ``Backend``."""

    name = "opencv"

    def __init__(self) -> None:
        """Settings of the whole process, which decodes one source with one thread."""
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def pictures(self, width_max: int = 0) -> OpencvPictures:  # noqa: ARG002  # it does not scale
        return OpencvPictures()

    def open_playlist(self, playlist: Body, _get: Callable[[str], Body], _options: VideoOptions) -> OpencvVideo:
        playlist.close()
        raise VideoError(
            Cause.UNSUPPORTED_CODEC, "HLS, which this image's decoder (opencv) cannot open within the policy"
        )

    def open(self, address: str, options: VideoOptions) -> OpencvVideo:
        if address.startswith(DEVICE):
            raise VideoError(
                Cause.UNSUPPORTED_CODEC, "a V4L2 device, which this image's decoder (opencv) does not open"
            )
        os.environ[_LOG_LEVEL] = _ERRORS
        protocols = "rtsp,rtsps,rtp,udp,tcp,tls" if options.live else "file"
        table = {"rtsp_transport": options.transport, "protocol_whitelist": protocols, **tls_options(options)}
        os.environ[_OPTIONS] = "|".join(f"{key};{value}" for key, value in table.items())
        complaints = Complaints()
        began = time.monotonic()
        capture: Any = cv2.VideoCapture()
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(options.open_timeout_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(options.read_timeout_s * 1000),
            cv2.CAP_PROP_N_THREADS, 1,
        ]  # fmt: skip
        # An exception of OpenCV may quote the address: it is swallowed here, "not opened" says enough.
        with contextlib.suppress(cv2.error):
            capture.open(address, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened() or min(_size_hw(capture)) <= 0:
            capture.release()
            raise _failure(address, time.monotonic() - began, options)
        return OpencvVideo(capture, options, complaints)


class OpencvPictures:
    """See ``PictureDecoder``."""

    def decode(self, data: bytes) -> Decoded:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if picture_codec(data) else None
        if picture is None:
            raise PictureError("not a whole picture of a kind that is known")
        frame_bgr = np.asarray(picture, np.uint8)
        return Decoded(PixelFormat("bgr", (frame_bgr.shape[0], frame_bgr.shape[1])), (frame_bgr,), None)


class OpencvVideo:
    """See ``Video``."""

    def __init__(self, capture: Any, options: VideoOptions, complaints: Complaints) -> None:
        """Takes over ``capture``."""
        self._capture, self._options, self._complaints = capture, options, complaints
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        codec = code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") or "unknown"
        promised = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.facts = VideoFacts(codec, 1 / fps if 0.01 <= fps <= 1000 else _FALLBACK_PERIOD_S, promised)
        self.damage = Damage()
        self.packets = PacketTap()  # OpenCV shows no packets
        self._buffer: NDArray[np.uint8] | None = None

    def next(self) -> Decoded | None:
        if not self._grab():
            return None
        self._complaints.clear()
        done, frame_bgr = self._capture.retrieve(self._buffer)
        if self._complaints.unconverted():
            # It says "done" and hands out memory that was never written: what lay there may be another picture.
            raise VideoError(
                Cause.UNSUPPORTED_CODEC,
                "interlaced video, which this image's decoder (opencv) cannot convert; use an image with pyav, or set "
                "the camera to progressive",
            )
        if not done or frame_bgr is None or frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3:
            raise VideoError(Cause.DECODE, "a picture cannot be converted to BGR")
        self._buffer = frame_bgr
        hw = (frame_bgr.shape[0], frame_bgr.shape[1])
        media_s = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return Decoded(PixelFormat("bgr", hw), (frame_bgr,), media_s)

    def close(self) -> None:
        self._capture.release()

    def _grab(self) -> bool:
        began = time.monotonic()
        if self._options.live:
            # After a read that timed out FFmpeg still hands out, one time-out each, the frames its decoder held back.
            if self._capture.grab() and time.monotonic() - began < self._options.read_timeout_s:
                return True
            raise VideoError(Cause.STALLED, "the connection ended, or no picture came in time")
        for failed in range(_TRIES):
            if self._capture.grab():
                self.damage.refused += failed
                return True
        return False


class Complaints:
    """What FFmpeg prints in this process: the only place where OpenCV tells of a failed conversion."""

    def __init__(self) -> None:
        """Takes standard output and error over, for the rest of this process."""
        self._libc = ctypes.CDLL(None)
        self._read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.close(write)

    def clear(self) -> None:
        """Forget what was written."""
        self._take()

    def unconverted(self) -> bool:
        """Whether the picture just retrieved was not written."""
        return b"Cannot convert" in self._take()

    def _take(self) -> bytes:
        self._libc.fflush(None)  # C's standard output waits for a full buffer
        taken = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._read, 65_536):
                taken += chunk
        return taken


def _size_hw(capture: Any) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))


def _failure(address: str, lasted_s: float, options: VideoOptions) -> VideoError:
    if not is_network(address):
        return VideoError(Cause.NO_VIDEO, NOT_A_VIDEO)
    if lasted_s >= 0.9 * options.open_timeout_s:
        return VideoError(Cause.TIMEOUT, REMEDY[Cause.TIMEOUT])
    return reach(address) or VideoError(
        Cause.NO_VIDEO, "no video; check the path, and user and password: this image's decoder does not tell which"
    )
