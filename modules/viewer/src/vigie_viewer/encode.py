"""A frame as a JPEG of a given width. The only file of the viewer with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import InlineJpeg
from vigie.errors import FrameTooLargeError
from vigie.frames import RingPool
from vigie.frames.picture import lease_frame
from vigie.frames.shown import shown_bgr
from vigie.vision.convert import fitting_hw, to_bgr
from vigie.vision.planes import Planes


def prepare_opencv() -> None:
    """One picture at a time: OpenCV's pool of threads would only take cores from the flow."""
    cv2.setNumThreads(1)


def encode(
    item: FrameItem, found: DetectionsItem | None, widths: set[int], pool: RingPool, *, quality: int
) -> dict[int, bytes]:
    """JPEGs of ``item`` by wanted width, blurred as it asks; a frame narrower than asked for keeps its size.

    Raises: FrameGoneError: the slot holds another frame by now. MessageRefusedError, PixelFormatError: what is there
        is not a frame.
    """
    if isinstance(item.pixels, InlineJpeg) and item.blur is None and min(widths, default=0) >= item.pixels.shape[1]:
        return dict.fromkeys(widths, item.pixels.jpeg)
    with lease_frame(pool, item.pixels) as frame:
        return _encode_all(frame, item, found, widths, quality)


def _encode_all(
    frame: Planes, item: FrameItem, found: DetectionsItem | None, widths: set[int], quality: int
) -> dict[int, bytes]:
    made: dict[int, bytes] = {}
    by_size: dict[tuple[int, int], bytes] = {}
    for wanted in widths:
        hw = fitting_hw(frame.size_hw, wanted)
        if hw not in by_size:
            by_size[hw] = _jpeg(_scaled(frame, item, found, hw), quality)
        made[wanted] = by_size[hw]
    return made


def _scaled(frame: Planes, item: FrameItem, found: DetectionsItem | None, hw: tuple[int, int]) -> NDArray[np.uint8]:
    if item.blur is not None:
        return shown_bgr(frame, item, found, hw)
    if frame.format.layout == "bgr" and frame.size_hw == hw:
        return frame.arrays[0]  # as it is: nothing is copied
    return to_bgr(frame, hw)


def _jpeg(frame_bgr: NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FrameTooLargeError("JPEG", f"shape {frame_bgr.shape}", 0, 0)
    return encoded.tobytes()
