"""The planes of a frame as views of its bytes: zero-copy, typed by the format. Arrays in, arrays out, no OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import Layout, PixelFormat
from vigie.errors import PixelFormatError

# Right shifts of the chroma planes' height and width, rounded up.
CHROMA_SHIFTS: dict[Layout, tuple[int, int]] = {"i420": (1, 1), "i422": (0, 1), "i444": (0, 0), "nv12": (1, 1)}


@dataclass(frozen=True, slots=True)
class Planes:
    """A frame: its format and its planes, (h, w) or (h, w, channels) uint8 each.

    ``bgr``: one of (H, W, 3). ``gray``: Y. ``i4xx``: Y, U, V. ``nv12``: Y and UV, (h, w, 2).
    Views: they live as long as what they show, and a reader never writes to them.
    """

    format: PixelFormat
    arrays: tuple[NDArray[np.uint8], ...]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Of the frame."""
        return self.format.size_hw


def plane_shapes(pixel_format: PixelFormat) -> list[tuple[int, ...]]:
    """Shapes of the planes, in their order in memory.

    Raises: PixelFormatError: an empty side.
    """
    height, width = pixel_format.size_hw
    if height < 1 or width < 1:
        raise PixelFormatError(f"frame of {height}x{width}", "has an empty side")
    if pixel_format.layout == "bgr":
        return [(height, width, 3)]
    if pixel_format.layout == "gray":
        return [(height, width)]
    down, across = CHROMA_SHIFTS[pixel_format.layout]
    chroma = (-(-height >> down), -(-width >> across))
    if pixel_format.layout == "nv12":
        return [(height, width), (*chroma, 2)]
    return [(height, width), chroma, chroma]


def frame_bytes(pixel_format: PixelFormat) -> int:
    """How many bytes a frame takes, planes one after the other. Raises: PixelFormatError: an empty side."""
    return sum(_count(shape) for shape in plane_shapes(pixel_format))


def planes_of(packed: NDArray[np.uint8], pixel_format: PixelFormat) -> Planes:
    """The planes inside ``packed``, C-contiguous uint8 of any shape and of exactly ``frame_bytes`` bytes.

    Raises: PixelFormatError: another number of bytes.
    """
    shapes = plane_shapes(pixel_format)
    needed = sum(_count(shape) for shape in shapes)
    if packed.dtype != np.uint8 or packed.size != needed:
        height, width = pixel_format.size_hw
        raise PixelFormatError(
            f"frame of {height}x{width} {pixel_format.layout}", f"takes {needed} bytes, got {packed.nbytes}"
        )
    flat = packed.reshape(-1)
    arrays, begin = [], 0
    for shape in shapes:
        end = begin + _count(shape)
        arrays.append(flat[begin:end].reshape(shape))
        begin = end
    return Planes(pixel_format, tuple(arrays))


def bgr_planes(frame_bgr: NDArray[np.uint8]) -> Planes:
    """A BGR frame, (H, W, 3) uint8, as the one plane it is; may have strides.

    Raises: PixelFormatError: another shape or type.
    """
    if frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or frame_bgr.dtype != np.uint8 or frame_bgr.size == 0:
        raise PixelFormatError("frame", f"expected (height, width, 3) uint8, got {frame_bgr.shape} {frame_bgr.dtype}")
    return Planes(PixelFormat("bgr", (frame_bgr.shape[0], frame_bgr.shape[1])), (frame_bgr,))


def crop_planes(frame: Planes, box_xyxy: tuple[int, int, int, int]) -> Planes:
    """The part of ``frame`` in a box of whole pixels, as views.

    Args: box_xyxy: left, top, right, bottom inside the frame, not empty; left and top even where chroma is halved in
        that direction, right and bottom even or the frame's own edge.
    Raises: PixelFormatError: a box that is not so.
    """
    left, top, right, bottom = box_xyxy
    height, width = frame.size_hw
    down, across = CHROMA_SHIFTS.get(frame.format.layout, (0, 0))
    inside = 0 <= left < right <= width and 0 <= top < bottom <= height
    if (
        not inside
        or left & across
        or top & down
        or (right & across and right < width)
        or (bottom & down and bottom < height)
    ):
        raise PixelFormatError(f"frame of {height}x{width} {frame.format.layout}", f"cannot be cut to {box_xyxy}")
    rows, columns = slice(top, bottom), slice(left, right)
    low, high = slice(top >> down, -(-bottom >> down)), slice(left >> across, -(-right >> across))
    chroma = tuple(plane[low, high] for plane in frame.arrays[1:])
    cut = msgspec.structs.replace(frame.format, size_hw=(bottom - top, right - left))
    return Planes(cut, (frame.arrays[0][rows, columns], *chroma))


def copy_planes(source: Sequence[NDArray[np.uint8]], target: Planes) -> None:
    """Copy ``source`` into ``target`` plane by plane; source planes may have strides.

    Raises: PixelFormatError: they do not have the shapes of the format.
    """
    if [one.shape for one in source] != [one.shape for one in target.arrays]:
        raise PixelFormatError(
            f"frame in {target.format.layout}",
            f"expected planes {[one.shape for one in target.arrays]}, got {[one.shape for one in source]}",
        )
    for one, into in zip(source, target.arrays, strict=True):
        np.copyto(into, one)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
