"""Where the pixels of an item are: a slot of a shared-memory ring, or inside the message as a JPEG.

Pixels in shared memory never travel through the hub; a message carries a claim check.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Layout = Literal["bgr", "gray", "i420", "i422", "i444", "nv12"]
Matrix = Literal["bt601", "bt709", "bt2020"]
Range = Literal["limited", "full"]
Siting = Literal["left", "centre", "top_left"]


class PixelFormat(msgspec.Struct, frozen=True):
    """What the bytes of a frame mean: enough to give its colours, and nothing to guess (docs/decisions/0022).

    ``layout``: ``bgr`` is (H, W, 3) interleaved; ``gray`` luma alone; ``i420``, ``i422``, ``i444`` are planes Y, U, V
    one after another, unpadded, chroma halved (rounded up) in both, one or no direction; ``nv12`` is Y, then
    U and V interleaved at half size. All are 8 bits per sample. ``matrix`` is Y'CbCr's (ITU-R BT.601, 709, 2020 with
    non-constant luminance), ``range`` 16..235 or 0..255, ``siting`` where a chroma sample lies among its luma samples.
    The last three mean nothing to ``bgr``; to ``gray`` only ``range`` does.
    """

    layout: Layout
    size_hw: tuple[int, int]
    matrix: Matrix = "bt601"
    range: Range = "limited"
    siting: Siting = "left"


class RingReference(msgspec.Struct, frozen=True, tag="ring", tag_field="kind"):
    """A claim check: slot ``slot`` of ring file ``ring`` while its sequence is ``sequence``.

    ``shape`` and ``dtype`` are those of the array in the slot, C-contiguous from its first byte. ``format`` says what
    a frame's bytes mean and ``shape`` is then their number; without it a frame is (H, W, 3) BGR, as ``shape`` says.
    """

    ring: str
    slot: int
    sequence: int
    shape: tuple[int, ...]
    dtype: str = "uint8"
    format: PixelFormat | None = None


class InlineJpeg(msgspec.Struct, frozen=True, tag="jpeg", tag_field="kind"):
    """The frame itself, for a consumer that shares no memory with the sender. ``shape`` is (H, W, 3) after decoding.

    ``source_hw`` is the size before it was scaled down to fit a message, so that boxes can be given in its pixels.
    """

    jpeg: bytes
    shape: tuple[int, int, int]
    source_hw: tuple[int, int]


Pixels = RingReference | InlineJpeg
