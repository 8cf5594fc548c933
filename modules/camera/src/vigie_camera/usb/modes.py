"""Which format, size and rate a V4L2 device is asked for. Pure.

Raw pictures take 2 bytes per pixel over the bus: USB 2 carries about 24 MB/s of them beside everything else, which is
640x480 at 30 per second and not 1280x720. Above that the camera has to compress.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# FFmpeg's names (its option input_format) by the kernel's four characters. Only what a decoder here can read.
FORMATS: Final = {
    "MJPG": "mjpeg",
    "JPEG": "mjpeg",
    "H264": "h264",
    "HEVC": "hevc",
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "NV12": "nv12",
    "YU12": "yuv420p",
    "GREY": "gray",
    "RGB3": "rgb24",
    "BGR3": "bgr24",
}
COMPRESSED: Final = ("mjpeg", "h264", "hevc")
RAW_BYTES_PER_S: Final = 24_000_000
# Larger pictures are there when they are asked for; nobody gets 4K at 5 frames per second unasked.
PIXELS_UNASKED: Final = 1920 * 1080
FPS_UNASKED: Final = 15.0
_SHOWN_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Mode:
    """One thing that a device can send. ``format``: FFmpeg's name; ``fps``: frames per second, at most."""

    format: str
    size_wh: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        """As an operator writes it, in part: ``mjpeg 1280x720 at 30``."""
        return f"{self.format} {self.size_wh[0]}x{self.size_wh[1]} at {self.fps:g}"

    @property
    def raw_bytes_per_s(self) -> float:
        """Of an uncompressed one, at two bytes per pixel."""
        return 2.0 * self.size_wh[0] * self.size_wh[1] * self.fps


@dataclass(frozen=True, slots=True)
class RequestedMode:
    """What the source's URL asks for; None: whatever suits."""

    format: str | None = None
    size_wh: tuple[int, int] | None = None
    fps: float | None = None


class NoSuchModeError(Exception):
    """The device does not offer what was asked for; its text names what it does."""


def negotiate(modes: Sequence[Mode], requested: RequestedMode) -> Mode:
    """The mode to ask for. What is asked for is taken exactly, or refused; a rate may be higher than asked for.

    Raises: NoSuchModeError.
    """
    if not modes:
        raise NoSuchModeError("the device offers no format that can be decoded here")
    found = [
        mode for mode in modes if requested.format in (None, mode.format) and requested.size_wh in (None, mode.size_wh)
    ]
    if requested.fps is not None:
        found = [mode for mode in found if mode.fps >= requested.fps - 0.01]
    if not found:
        raise NoSuchModeError(f"the device does not offer that; it offers {offers(modes)}")
    if requested.size_wh is None:
        found = _largest(found, FPS_UNASKED if requested.fps is None else requested.fps)
    if requested.fps is not None:
        lowest = min(mode.fps for mode in found)
        found = [mode for mode in found if mode.fps == lowest]
    return max(found, key=_preference)


def offers(modes: Iterable[Mode]) -> str:
    """All modes, one per format and size, largest first."""
    best: dict[tuple[str, tuple[int, int]], Mode] = {}
    for mode in modes:
        key = (mode.format, mode.size_wh)
        if key not in best or best[key].fps < mode.fps:
            best[key] = mode
    ordered = sorted(best.values(), key=lambda mode: (-mode.size_wh[0] * mode.size_wh[1], mode.format))
    more = f" and {len(ordered) - _SHOWN_MAX} more" if len(ordered) > _SHOWN_MAX else ""
    return ", ".join(map(str, ordered[:_SHOWN_MAX])) + more


def _largest(modes: list[Mode], fps: float) -> list[Mode]:
    """Those of the largest size up to Full HD that has the rate, over a bus that carries it; else of the smallest."""
    able = [
        mode
        for mode in modes
        if mode.size_wh[0] * mode.size_wh[1] <= PIXELS_UNASKED
        and mode.fps >= fps - 0.01
        and (mode.format in COMPRESSED or mode.raw_bytes_per_s <= RAW_BYTES_PER_S)
    ]
    if able:
        area = max(mode.size_wh[0] * mode.size_wh[1] for mode in able)
    else:
        able = modes
        area = min(mode.size_wh[0] * mode.size_wh[1] for mode in able)
    return [mode for mode in able if mode.size_wh[0] * mode.size_wh[1] == area]


def _preference(mode: Mode) -> tuple[bool, float, int]:
    """What the bus carries, then the rate, then what costs least to decode: raw, JPEG, H.264, H.265."""
    fits = mode.format in COMPRESSED or mode.raw_bytes_per_s <= RAW_BYTES_PER_S
    cost = COMPRESSED.index(mode.format) + 1 if mode.format in COMPRESSED else 0
    return fits, mode.fps, -cost
