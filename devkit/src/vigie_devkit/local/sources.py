"""The SOURCE words of the command line: what each is, whether it can open at all, and the camera it becomes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from vigie.errors import SourceRefusedError
from vigie.source_url import literals, read_network_source
from vigie_devkit.local.errors import SourceError
from vigie_devkit.local.secret_values import SecretValues

Pace = Literal["realtime", "max"]
DEFAULT_SOURCE = "synthetic://conveyor?seed=1&fps=30"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")

# Beginnings of containers and raw streams, (offset, bytes): what begins otherwise is opened to make sure.
_VIDEO_MARKS = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"\x1aE\xdf\xa3"),
    (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"),
    (0, b"\x00\x00\x01\xb3"),
    (0, b"\x00\x00\x00\x01"),
    (0, b"FLV\x01"),
    (0, b"OggS"),
    (0, b"\x30\x26\xb2\x75"),
    (0, b"G\x40"),
    (0, b"YUV4MPEG2"),
)


@dataclass(frozen=True)
class CameraSource:
    """One camera of this run. ``url`` is what may be shown and stands in the twin; ``secrets`` are values by name.

    ``host``: the only one that may get them.
    """

    name: str
    url: str
    live: bool
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    host: str = ""

    def settings(self, *, pace: Pace | None, loop: bool, frames: int | None) -> dict[str, Any]:
        """The desired properties of this camera. Files default to pace ``max``: every frame, as fast as it goes."""
        chosen: dict[str, Any] = {"source": self.url, "pace": pace or ("realtime" if self.live else "max")}
        if loop:
            chosen["loop"] = True
        if frames is not None:
            chosen["frames"] = frames
        return chosen


def read_sources(words: Sequence[str], values: SecretValues) -> list[CameraSource]:
    """Check every SOURCE and name its camera.

    Raises: SourceError: a file that is missing or no video, a URL that cannot be one, a secret that nobody gave.
    """
    cameras: list[CameraSource] = []
    for word in words or [DEFAULT_SOURCE]:
        name = unique(name_for(word), [camera.name for camera in cameras])
        cameras.append(read_source(word, name, values))
    return cameras


def read_source(word: str, name: str, values: SecretValues) -> CameraSource:
    scheme = _SCHEME.match(word)
    if scheme is None or scheme[1] == "file":
        path = Path(word.removeprefix("file://")).expanduser().resolve()
        check_video(word, path)
        return CameraSource(name, str(path), live=False)
    match scheme[1].lower():
        case "synthetic":
            check_synthetic(word)
            return CameraSource(name, word, live=True)
        case "rtsp" | "rtsps" | "http" | "https":
            url, secrets = hide_passwords(word, name)
            try:
                network = read_network_source(url)
            except SourceRefusedError as refusal:
                raise SourceError(str(refusal)) from None
            named = {secret: values.find(secret, url) for secret in network.secrets if secret not in secrets}
            return CameraSource(name, url, live=True, secrets={**secrets, **named}, host=network.host)
        case other:
            raise SourceError(
                f"'{other}://' is not a known kind of source; a source is a video file, rtsp://host/path, "
                f"http://host/path or synthetic://conveyor?seed=1&fps=30"
            )


def hide_passwords(url: str, name: str) -> tuple[str, dict[str, str]]:
    """Put ``${CAMERA_<NAME>_PASSWORD}`` in the place of what may be one. Returns: template, values by name."""
    secrets: dict[str, str] = {}
    base = f"CAMERA_{re.sub('[^A-Z0-9]', '_', name.upper())}_PASSWORD"
    template, end = "", 0
    for span in literals(url):
        value = unquote(url[span.start : span.end])  # the camera encodes a secret's value when it puts it into the URL
        secret = next((key for key, known in secrets.items() if known == value), None)
        secret = secret or (f"{base}_{len(secrets) + 1}" if secrets else base)
        secrets[secret] = value
        template += url[end : span.start] + f"${{{secret}}}"
        end = span.end
    return template + url[end:], secrets


def check_synthetic(url: str) -> None:
    from vigie.errors import VigieError
    from vigie.synthetic.url import parse_url

    try:
        parse_url(url)
    except VigieError as error:
        raise SourceError(str(error)) from error


def check_video(word: str, path: Path) -> None:
    """Raises: SourceError: missing, a folder, not readable, empty, or no video."""
    if path.is_dir():
        raise SourceError(f"{word} is a folder; pass a video file")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise SourceError(f"there is no file {word}; pass a video file, rtsp://... or synthetic://conveyor") from None
    except OSError as error:
        raise SourceError(f"cannot read {word} ({error.strerror})") from error
    if not any(head[offset : offset + len(mark)] == mark for offset, mark in _VIDEO_MARKS) and not opens(path):
        raise SourceError(f"{word} cannot be read as a video; convert it first (MP4 with H.264 always works)")


def opens(path: Path) -> bool:
    """Ask the decoder itself. Slow to import, so only for files whose beginning tells nothing."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        # A picture opens as a video of one frame; that is not what anybody means by a camera.
        return bool(capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) != 1 and capture.read()[0])
    finally:
        capture.release()


def name_for(word: str) -> str:
    """A camera name out of a source: lower case letters, digits and dashes."""
    scheme = _SCHEME.match(word)
    if scheme is None or scheme[1] == "file":
        text = Path(word).stem
    elif scheme[1].lower() == "synthetic":
        text = urlsplit(word).netloc or "synthetic"
    else:
        # Never from the part before the host: it may hold a password.
        text = "-".join(word.rpartition("@")[2].split("://")[-1].partition("?")[0].replace("/", "-").split(":"))
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-") or "camera"


def unique(name: str, taken: Sequence[str]) -> str:
    return next(one for one in [name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))] if one not in taken)
