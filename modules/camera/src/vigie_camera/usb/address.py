"""``v4l2:///dev/video0?size=1280x720&fps=30&format=mjpeg``: a device and what is wished of it. Pure.

The decoder gets the same form with everything filled in, as ``device_address`` writes it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from vigie_camera.usb.modes import FORMATS, Mode, RequestedMode

# Not a network's "://": what begins so is this machine's own.
DEVICE: Final = "v4l2:"
_SIZE: Final = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_KEYS: Final = ("format", "size", "fps")


class DeviceUrlError(ValueError):
    """What is wrong with the URL, for an operator."""


def read_device_url(source: str) -> tuple[str, RequestedMode]:
    """The device's path and the requested mode. ``source``: ``v4l2:///dev/...`` or a plain ``/dev/video...``.

    Raises: DeviceUrlError.
    """
    if "://" not in source:
        return _path(source), RequestedMode()
    try:
        split = urlsplit(source)
        pairs = parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query), max_num_fields=8)
    except ValueError as error:
        raise DeviceUrlError(f"cannot be read ({error})") from error
    if split.netloc or split.fragment:
        raise DeviceUrlError("names a host; expected v4l2:///dev/video0, with three slashes")
    found = dict(pairs)
    if len(found) != len(pairs) or set(found) - set(_KEYS):
        unknown = next((key for key, _ in pairs if key not in _KEYS), "a key twice")
        raise DeviceUrlError(f"{unknown[:40]}: unknown; expected {', '.join(_KEYS)}, each once")
    return _path(unquote(split.path)), RequestedMode(_format(found), _size(found), _fps(found))


def device_address(path: str, mode: Mode) -> str:
    """For the decoder: what it opens, and what it asks the device for."""
    return f"{DEVICE}{quote(path)}?format={mode.format}&size={mode.size_wh[0]}x{mode.size_wh[1]}&fps={mode.fps:g}"


def read_device_address(address: str) -> tuple[str, dict[str, str]]:
    """The path, and FFmpeg's options for it."""
    path, _, query = address.removeprefix(DEVICE).partition("?")
    found = dict(parse_qsl(query))
    return unquote(path), {"input_format": found["format"], "video_size": found["size"], "framerate": found["fps"]}


def _path(path: str) -> str:
    pure = PurePosixPath(path)
    if (
        not path.startswith("/dev/")
        or ".." in pure.parts
        or any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in path)
    ):
        raise DeviceUrlError("is not a device; expected v4l2:///dev/video0 or v4l2:///dev/v4l/by-id/...")
    return str(pure)


def _format(found: dict[str, str]) -> str | None:
    known = sorted(set(FORMATS.values()))
    if "format" in found and found["format"] not in known:
        raise DeviceUrlError(f"format: expected one of {', '.join(known)}")
    return found.get("format")


def _size(found: dict[str, str]) -> tuple[int, int] | None:
    if "size" not in found:
        return None
    match = _SIZE.fullmatch(found["size"])
    if match is None:
        raise DeviceUrlError("size: expected WIDTHxHEIGHT, such as 1280x720")
    return int(match[1]), int(match[2])


def _fps(found: dict[str, str]) -> float | None:
    if "fps" not in found:
        return None
    try:
        fps = float(found["fps"])
    except ValueError:
        fps = 0.0
    if not 0.1 <= fps <= 1000:
        raise DeviceUrlError("fps: expected a number from 0.1 to 1000")
    return fps
