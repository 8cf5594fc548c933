"""A frame as a JPEG of a given width. The only file of the viewer with OpenCV."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import InlineJpeg
from vigie.errors import FrameTooLargeError
from vigie.frames import RingPool
from vigie.frames.inline import decode_inline


def prepare_opencv() -> None:
    """One picture at a time: OpenCV's pool of threads would only take cores from the flow."""
    cv2.setNumThreads(1)


def encode(item: FrameItem, widths: set[int], pool: RingPool, *, quality: int) -> dict[int, bytes]:
    """JPEGs of ``item`` by wanted width; a frame narrower than asked for keeps its size.

    Raises: FrameGoneError: the slot holds another frame by now. MessageRefusedError: the message's JPEG is damaged.
    """
    if isinstance(item.pixels, InlineJpeg):
        width = item.pixels.shape[1]
        small = {wanted for wanted in widths if wanted < width}
        as_it_is = dict.fromkeys(widths - small, item.pixels.jpeg)
        return {**as_it_is, **(_encode_all(decode_inline(item.pixels), small, quality) if small else {})}
    with pool.lease(item.pixels) as frame_bgr:
        return _encode_all(frame_bgr, widths, quality)


def _encode_all(frame_bgr: NDArray[np.uint8], widths: set[int], quality: int) -> dict[int, bytes]:
    made: dict[int, bytes] = {}
    by_width: dict[int, bytes] = {}
    for wanted in sorted(widths, reverse=True):
        width = min(wanted, frame_bgr.shape[1])
        if width not in by_width:
            by_width[width] = _jpeg(_scaled(frame_bgr, width), quality)
        made[wanted] = by_width[width]
    return made


def _scaled(frame_bgr: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    height_from, width_from = frame_bgr.shape[:2]
    if width >= width_from:
        return frame_bgr
    height = max(1, round(height_from * width / width_from))
    return cast("NDArray[np.uint8]", cv2.resize(frame_bgr, (width, height), interpolation=cv2.INTER_AREA))


def _jpeg(frame_bgr: NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FrameTooLargeError("JPEG", f"shape {frame_bgr.shape}", 0, 0)
    return encoded.tobytes()
