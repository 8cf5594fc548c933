"""What a decoder must give: planes, times, packets. PyAV is one back end, OpenCV another (ADR 0022)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie_camera.cause import Cause

# One sentence for every cause: by the answer a twin could otherwise ask which files the device has. The log knows more.
NOT_A_VIDEO = (
    "cannot be opened as a video; check the path, the module's mounts and the format (H.264 in MP4 works, and "
    "JPEG or PNG in a folder)"
)


class VideoError(Exception):
    """A source does not open, or is lost. Raised in the decoder's process, told to the module as data."""

    def __init__(self, cause: Cause, reason: str) -> None:
        """``reason``: a clause for an operator, without the address: exception texts of FFmpeg hold passwords."""
        super().__init__(reason)
        self.cause, self.reason = cause, reason


class VideoOptions(msgspec.Struct, frozen=True):
    """How to open an address. ``live``: it ends only by being lost. ``transport``: of RTSP.

    ``width_max``: wider pictures are scaled down to it; 0: none is.
    ``tls_verify``: check an rtsps camera's certificate, with those of ``ca_file``.
    ``decoding``: auto uses hardware that proves itself. ``doubt``: why it is not tried again, empty: it is.
    """

    live: bool
    transport: str = "tcp"
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    tls_verify: bool = True
    ca_file: str = ""
    width_max: int = 0
    decoding: Literal["software", "auto"] = "software"
    doubt: str = ""


def tls_options(options: VideoOptions) -> dict[str, str]:
    """FFmpeg's options for TLS, which verifies nothing unless it is told to."""
    return {"tls_verify": "1" if options.tls_verify else "0", "ca_file": options.ca_file}


@dataclass(slots=True)
class Damage:
    """Counts since opening. ``refused``: packets that the decoder could not use; ``corrupt``: frames it concealed."""

    refused: int = 0
    corrupt: int = 0
    ended_early: bool = False

    @property
    def total(self) -> int:
        return self.refused + self.corrupt


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the container says. ``period_s``: between frames, 1/25 where unknown; ``promised``: frames, 0: unknown.

    ``decoded_by``: hardware, or why not, where that was asked for.
    """

    codec: str
    period_s: float
    promised: int
    decoded_by: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame: views of the decoder's memory, true until the next one is asked for, never to be written.

    ``arrays`` have the shapes of ``plane_shapes(format)`` and may have strides. ``media_s``: its time in the stream.
    ``keys``: key frames decoded so far, None where the library does not tell.
    """

    format: PixelFormat
    arrays: tuple[NDArray[np.uint8], ...]
    media_s: float | None
    keys: int | None = None


@dataclass(slots=True)
class PacketTap:
    """Where somebody may look at packets before they are decoded, for instance to keep the last seconds of them."""

    watchers: list[Callable[[Any], None]] = field(default_factory=list)


class Video(Protocol):
    """An opened video; used and closed by the thread that opened it."""

    facts: VideoFacts
    damage: Damage
    packets: PacketTap

    def next(self) -> Decoded | None:
        """The next frame. None: the end of a file.

        Raises: VideoError: a live source is lost, or nothing of it can be decoded.
        """

    def close(self) -> None: ...


class PictureError(Exception):
    """Bytes that are not a whole picture."""


class PictureDecoder(Protocol):
    """Decodes single pictures."""

    def decode(self, data: bytes) -> Decoded:
        """The picture, true until the next one is asked for. Raises: PictureError."""


class Body(Protocol):
    """A file as it comes over the network. ``name``: its URL, without a password."""

    name: str

    def read(self, count: int = -1) -> bytes:
        """Raises: VideoError."""

    def close(self) -> None: ...


class Backend(Protocol):
    """A decoder library."""

    name: str

    def pictures(self, width_max: int = 0) -> PictureDecoder: ...

    def open_playlist(self, playlist: Body, get: Callable[[str], Body], options: VideoOptions) -> Video:
        """HLS: ``playlist`` is taken over; everything that it names is asked of ``get``, which raises VideoError.

        Raises: VideoError.
        """

    def open(self, address: str, options: VideoOptions) -> Video:
        """Open ``address``, an absolute path or a URL with its secrets.

        Raises: VideoError: with its cause.
        """
