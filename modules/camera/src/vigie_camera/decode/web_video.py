"""Cameras over HTTP: rows of JPEGs (MJPEG), one JPEG asked for again and again, or HLS; the answer decides."""

from __future__ import annotations

import time
from typing import Final

from vigie.plurals import counted
from vigie_camera.cause import Cause
from vigie_camera.decode.backend import (
    Backend,
    Damage,
    Decoded,
    PacketTap,
    PictureDecoder,
    PictureError,
    Video,
    VideoError,
    VideoFacts,
    VideoOptions,
)
from vigie_camera.decode.multipart import PART_BYTES_MAX, MultipartError, MultipartReader, boundary_of
from vigie_camera.decode.web import WebClient, WebResponse
from vigie_camera.source_policy import SourcePolicy

_HOPELESS: Final = 25
_JPEG: Final = b"\xff\xd8"
_PLAYLISTS: Final = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl")


def open_web_video(
    address: str, policy: SourcePolicy, options: VideoOptions, backend: Backend, interval_s: float
) -> Video:
    """Ask once; the type of the answer says what it is. ``interval_s``: between two questions for a snapshot.

    Raises: VideoError.
    """
    client = WebClient(address, policy, options)
    answer = client.get()
    kind = answer.content_type.partition(";")[0].strip().lower()
    try:
        if kind.startswith("multipart/"):
            return MjpegVideo(answer, backend.pictures(options.width_max))
        if kind in _PLAYLISTS or (not kind and answer.url.partition("?")[0].endswith(".m3u8")):
            return backend.open_playlist(answer, client.get, options)
        if kind in ("image/jpeg", "image/jpg"):
            answer.close()
            return SnapshotVideo(client, backend.pictures(options.width_max), interval_s)
    except MultipartError as error:
        answer.close()
        raise VideoError(Cause.NO_VIDEO, str(error)) from None
    except BaseException:
        answer.close()
        raise
    answer.close()
    shown = kind if kind.replace("/", "").replace("-", "").replace(".", "").replace("+", "").isalnum() else "no type"
    raise VideoError(
        Cause.NO_VIDEO, f"sends {shown[:60]}, expected multipart (MJPEG), image/jpeg or an HLS playlist; check the path"
    )


class _Jpegs:
    """What both kinds of JPEG cameras share."""

    def __init__(self, pictures: PictureDecoder, period_s: float) -> None:
        self._pictures = pictures
        self.facts = VideoFacts("mjpeg", period_s, 0)
        self.damage = Damage()
        self.packets = PacketTap()
        self._keys = self._fruitless = 0

    def _shown(self, data: bytes) -> Decoded | None:
        """None: damaged; half a picture is never shown."""
        try:
            # Of the kinds of pictures, the one that cameras send: a decoder is a large surface.
            decoded = self._pictures.decode(data if data.startswith(_JPEG) else b"")
        except PictureError:
            self.damage.refused += 1
            self._fruitless += 1
            if self._fruitless >= _HOPELESS:
                raise VideoError(
                    Cause.DECODE, f"{counted(self._fruitless, 'picture')} in a row cannot be decoded"
                ) from None
            return None
        self._fruitless = 0
        self._keys += 1
        return Decoded(decoded.format, decoded.arrays, None, self._keys)


class MjpegVideo(_Jpegs):
    """See ``Video``."""

    def __init__(self, answer: WebResponse, pictures: PictureDecoder) -> None:
        """Takes over ``answer``."""
        super().__init__(pictures, 1 / 25)
        self._answer = answer
        self._parts = MultipartReader(answer.read, boundary_of(answer.content_type))

    def next(self) -> Decoded:
        while True:
            try:
                data = self._parts.next()
            except MultipartError as error:
                raise VideoError(Cause.DECODE, str(error)) from None
            if data is None:
                raise VideoError(Cause.STALLED, "the connection ended")
            if (decoded := self._shown(data)) is not None:
                return decoded

    def close(self) -> None:
        self._answer.close()


class SnapshotVideo(_Jpegs):
    """See ``Video``."""

    def __init__(self, client: WebClient, pictures: PictureDecoder, interval_s: float) -> None:
        """Asks when a frame is wanted, every ``interval_s`` at most."""
        super().__init__(pictures, interval_s)
        self._client, self._interval_s = client, interval_s
        self._due_s = time.monotonic()

    def next(self) -> Decoded:
        while True:
            time.sleep(max(0.0, self._due_s - time.monotonic()))
            self._due_s = max(self._due_s + self._interval_s, time.monotonic())
            answer = self._client.get()
            try:
                data = _whole(answer)
            finally:
                answer.close()
            if (decoded := self._shown(data)) is not None:
                return decoded

    def close(self) -> None:
        """Nothing stays open between two questions."""


def _whole(answer: WebResponse) -> bytes:
    data = bytearray()
    while more := answer.read(1 << 20):
        data += more
        if len(data) > PART_BYTES_MAX:
            raise VideoError(Cause.DECODE, f"a picture of more than {PART_BYTES_MAX} bytes")
    return bytes(data)
