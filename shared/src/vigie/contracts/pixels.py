"""Where the pixels of an item are: a slot of a shared-memory ring, or inside the message as a JPEG.

Pixels in shared memory never travel through the hub; a message carries a claim check (DESIGN section 3).
"""

from __future__ import annotations

import msgspec


class RingReference(msgspec.Struct, frozen=True, tag="ring", tag_field="kind"):
    """A claim check: slot ``slot`` of ring file ``ring`` while its sequence is ``sequence``.

    ``shape`` and ``dtype`` are those of the array in the slot, C-contiguous from its first byte.
    """

    ring: str
    slot: int
    sequence: int
    shape: tuple[int, ...]
    dtype: str = "uint8"


class InlineJpeg(msgspec.Struct, frozen=True, tag="jpeg", tag_field="kind"):
    """The frame itself, for a consumer that shares no memory with the sender. ``shape`` is (H, W, 3) after decoding.

    ``source_hw`` is the size before it was scaled down to fit a message, so that boxes can be given in its pixels.
    """

    jpeg: bytes
    shape: tuple[int, int, int]
    source_hw: tuple[int, int]


Pixels = RingReference | InlineJpeg
