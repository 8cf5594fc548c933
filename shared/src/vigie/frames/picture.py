"""Any frame of a message as planes, wherever its pixels are: what every reader of frames begins with.

with lease_frame(pool, item.pixels) as frame:
    small_bgr = to_bgr(frame, (240, 320))       # vigie.vision.convert
    luma = to_luma(frame)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vigie.contracts.pixels import InlineJpeg, Pixels
from vigie.frames.inline import decode_inline
from vigie.frames.reader import RingPool
from vigie.vision.planes import Planes, bgr_planes, planes_of


@contextmanager
def lease_frame(pool: RingPool, pixels: Pixels) -> Iterator[Planes]:
    """The frame: planes that view its ring slot, held while the block lasts, or a decoded JPEG as BGR.

    The planes are read-only and must not be kept after the block: the writer reuses their memory.

    Raises: FrameGoneError: see ``RingPool.lease``. PixelFormatError: bytes that are not a frame.
        MessageRefusedError: an inline JPEG that is damaged.
    """
    if isinstance(pixels, InlineJpeg):
        yield bgr_planes(decode_inline(pixels))
        return
    with pool.lease(pixels) as array:
        yield bgr_planes(array) if pixels.format is None else planes_of(array, pixels.format)
