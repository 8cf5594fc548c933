"""Which family a source belongs to. A new family is one file here and one line in the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from vigie.errors import SourceOpenError, SourceRefusedError
from vigie.log import redact
from vigie.synthetic.url import parse_url
from vigie_camera.config import CameraSettings
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.secrets import holds_plain_password, names_secret, reveal

Kind = Literal["file", "rtsp", "synthetic"]
SUPPORTED: Final = "an absolute path of a video file, rtsp://host/path, or synthetic://conveyor?seed=1&fps=30"
OPEN_S: Final = 10.0
FILE_S: Final = 10.0  # a file on a network share that went away
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_LATER: Final = {
    "http": "MJPEG over HTTP",
    "https": "MJPEG over HTTP",
    "v4l2": "V4L2 cameras",
    "usb": "V4L2 cameras",
    "rtmp": "RTMP",
    "srt": "SRT",
    "onvif": "ONVIF discovery",
}


@dataclass(frozen=True, slots=True)
class OpenContext:
    """What resolving needs besides the source: where secrets are looked for."""

    secrets: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """A source that has been understood and not yet opened. ``shown`` never holds a secret.

    ``live``: sets its own pace, comes back after being lost; ``endless``: has no end of its own;
    ``resolve``: the address to open, secrets in place, asked for anew before every opening; it goes to this camera's
    decoder and nowhere else. Raises SecretMissingError, SourceOpenError.
    ``size_hw``: known before opening, for the check of shared memory.
    """

    kind: Kind
    shown: str
    live: bool
    endless: bool
    resolve: Callable[[OpenContext], str]
    size_hw: tuple[int, int] | None = None

    def options(self, settings: CameraSettings, read_s: float) -> VideoOptions:
        """How the decoder opens it. ``read_s``: its time-out for reads, of a live source."""
        if self.live:
            return VideoOptions(
                live=True, transport=settings.rtsp_transport, open_timeout_s=OPEN_S, read_timeout_s=read_s
            )
        return VideoOptions(live=False, open_timeout_s=OPEN_S, read_timeout_s=FILE_S)


def plan_source(source: str) -> SourcePlan:
    """Understand ``source``; nothing is opened, no secret is read.

    Raises: SourceRefusedError, SyntheticSourceError: it can never be opened as it stands.
    """
    shown = redact(source)
    if holds_plain_password(source):
        raise SourceRefusedError(
            _without_authority(source),
            "holds a password; put it into a secret file or variable and write ${SECRET_NAME} in its place",
        )
    scheme = _SCHEME.match(source)
    match scheme[1].lower() if scheme else "":
        case "" | "file":
            return _plan_file(source, shown)
        case "rtsp" | "rtsps":
            return _plan_rtsp(source, shown)
        case "synthetic":
            return _plan_synthetic(source, shown)
        case other if other in _LATER:
            raise SourceRefusedError(shown, f"{_LATER[other]} cannot be opened by this version; use {SUPPORTED}")
        case other:
            raise SourceRefusedError(shown, f"'{other}://' is not known; use {SUPPORTED}")


def _plan_file(source: str, shown: str) -> SourcePlan:
    path = Path(_path_of(source))
    if any(sign in source for sign in "*?[") and not path.exists():
        raise SourceRefusedError(shown, "is a pattern of files, which this version cannot open; name one file")
    if not path.is_absolute():
        raise SourceRefusedError(shown, f"is not an absolute path; use {SUPPORTED}")
    if names_secret(source):
        raise SourceRefusedError(shown, "secrets are for URLs; a path is written as it is")
    if str(path).startswith("/dev/video"):
        raise SourceRefusedError(shown, f"V4L2 cameras cannot be opened by this version; use {SUPPORTED}")
    if path.is_dir():
        raise SourceRefusedError(shown, f"folders of pictures cannot be opened by this version; use {SUPPORTED}")

    def resolve(_context: OpenContext) -> str:
        try:
            with path.open("rb") as file:
                empty = not file.read(1)
        except OSError as error:
            raise SourceOpenError(str(path), f"{error.strerror}; check the path and the module's mounts") from None
        if empty:
            raise SourceOpenError(str(path), "is empty; copy it again")
        return str(path)

    return SourcePlan("file", shown, live=False, endless=False, resolve=resolve)


def _path_of(source: str) -> str:
    """Of a path, itself; of a ``file:`` URL (RFC 8089), its path, percent-decoded; any other host than ours is none."""
    if _SCHEME.match(source) is None:
        return source
    split = urlsplit(source)
    return unquote(split.path) if split.netloc.lower() in ("", "localhost") else ""


def _plan_rtsp(source: str, shown: str) -> SourcePlan:
    try:
        host = urlsplit(source).hostname
    except ValueError:
        host = None
    if not host:
        raise SourceRefusedError(shown, "names no host; expected rtsp://host[:port]/path")

    def resolve(context: OpenContext) -> str:
        return reveal(source, context.secrets, context.environ).reveal()

    return SourcePlan("rtsp", shown, live=True, endless=True, resolve=resolve)


def _plan_synthetic(source: str, shown: str) -> SourcePlan:
    spec = parse_url(source)
    size_hw = (spec.size_wh[1], spec.size_wh[0])
    return SourcePlan("synthetic", shown, live=False, endless=True, resolve=lambda _context: source, size_hw=size_hw)


def _without_authority(source: str) -> str:
    """For a source that is refused because it holds a password: not even its shape is echoed."""
    scheme = _SCHEME.match(source)
    return f"{scheme[1]}://..." if scheme else "..."
