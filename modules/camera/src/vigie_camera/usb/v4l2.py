"""What V4L2 devices there are, and what each offers: asked of the kernel by its own calls, without a library.

Source: linux/videodev2.h, and Documentation/userspace-api/media/v4l. Sizes are those of 64-bit machines; the structs
hold no pointers, so 32-bit ones have the same.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from vigie_camera.usb.modes import FORMATS, Mode

SYS: Final = Path("/sys/class/video4linux")
DEV: Final = Path("/dev")

_QUERYCAP, _ENUM_FMT, _ENUM_FRAMESIZES, _ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
_CAPABILITY: Final = struct.Struct("=16s32s32sIII12x")
_FORMAT: Final = struct.Struct("=III32s4sI12x")
_SIZE: Final = struct.Struct("=I4sI6I8x")
_INTERVAL: Final = struct.Struct("=I4sIII6I8x")
_CAPTURE: Final = 1
_HAS_DEVICE_CAPS, _VIDEO_CAPTURE = 0x8000_0000, 0x1
_DISCRETE: Final = 1
# A driver that never says "no more" must not keep us for ever.
_INDEXES_MAX: Final = 128
# A device that takes any size within bounds is asked about these, as far as they are within them.
_COMMON_WH: Final = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))

Ask = Callable[[int, bytes], bytes]
"""One call to an open device: the request's number and its argument; gives the argument back, or raises OSError."""


class VideoDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device that captures video. ``source``: what to write into the twin, by a name that lasts where there is one.

    ``modes``: what it offers; ``reason``: why it cannot be asked.
    """

    source: str
    path: str
    name: str
    modes: tuple[str, ...] = ()
    reason: str | None = None


def devices(sys: Path = SYS, dev: Path = DEV, look: Callable[[Path], list[Mode]] | None = None) -> list[VideoDevice]:
    """All of them, as far as this process may see them: in a container, those that it was given."""
    lasting = {os.path.realpath(link): link for link in sorted((dev / "v4l" / "by-id").glob("*"))}
    found = []
    for entry in sorted(sys.glob("video*"), key=lambda one: (len(one.name), one.name)):
        path = dev / entry.name
        if not path.exists():
            continue
        name = ""
        with suppress(OSError):
            name = (entry / "name").read_text(errors="replace").strip()[:80]
        source = f"v4l2://{lasting.get(os.path.realpath(path), path)}"
        try:
            modes = (look or modes_of)(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            found.append(VideoDevice(source, str(path), name, reason=reason))
            continue
        # A camera has a second device for metadata, which captures nothing.
        if modes:
            found.append(VideoDevice(source, str(path), name, tuple(map(str, modes))))
    return found


def modes_of(path: Path) -> list[Mode]:
    """What ``path`` offers, in formats that can be decoded; empty: it captures no video. Raises: OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return list(offered(lambda request, argument: fcntl.ioctl(descriptor, request, argument)))
    finally:
        os.close(descriptor)


def offered(ask: Ask) -> Iterator[Mode]:
    """What the device behind ``ask`` offers. Raises: OSError: it is no V4L2 device, or it is gone."""
    *_, capabilities, device_caps = _CAPABILITY.unpack(ask(_QUERYCAP, bytes(_CAPABILITY.size)))
    if not (device_caps if capabilities & _HAS_DEVICE_CAPS else capabilities) & _VIDEO_CAPTURE:
        return
    for index in range(_INDEXES_MAX):
        reply = _next(ask, _ENUM_FMT, _FORMAT.pack(index, _CAPTURE, 0, b"", b"", 0))
        if reply is None:
            return
        code = _FORMAT.unpack(reply)[4]
        name = FORMATS.get(code.decode("ascii", "replace"))
        if name is not None:
            for size_wh in _sizes(ask, code):
                yield from (Mode(name, size_wh, fps) for fps in _rates(ask, code, size_wh))


def _sizes(ask: Ask, code: bytes) -> Iterator[tuple[int, int]]:
    for index in range(_INDEXES_MAX):
        reply = _next(ask, _ENUM_FRAMESIZES, _SIZE.pack(index, code, 0, *(0,) * 6))
        if reply is None:
            return
        _, _, kind, *numbers = _SIZE.unpack(reply)
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        min_w, max_w, step_w, min_h, max_h, step_h = numbers
        for width, height in _COMMON_WH:
            within = min_w <= width <= max_w and min_h <= height <= max_h
            if within and (width - min_w) % max(1, step_w) == 0 and (height - min_h) % max(1, step_h) == 0:
                yield width, height
        return


def _rates(ask: Ask, code: bytes, size_wh: tuple[int, int]) -> Iterator[float]:
    """Frames per second. A device without a word about it: 30, which most have; what comes is measured anyway."""
    known = False
    for index in range(_INDEXES_MAX):
        reply = _next(ask, _ENUM_FRAMEINTERVALS, _INTERVAL.pack(index, code, *size_wh, 0, *(0,) * 6))
        if reply is None:
            break
        _, _, _, _, kind, *numbers = _INTERVAL.unpack(reply)
        # Of a range, the shortest interval, which comes first.
        over, under = numbers[0], numbers[1]
        if over and under:
            known = True
            yield round(under / over, 3)
        if kind != _DISCRETE:
            break
    if not known:
        yield 30.0


def _next(ask: Ask, request: int, argument: bytes) -> bytes | None:
    """None: there are no more. Raises: OSError."""
    try:
        return ask(request, argument)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return None
        raise
