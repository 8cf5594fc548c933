"""A frame inside its message, as a JPEG, where sender and consumer share no memory. The only file here with OpenCV.

The hub refuses a message above its limit (body plus properties) without telling the sender, so quality is given up
first, then size, until base64 and envelope fit.
"""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.envelope import MESSAGE_LIMIT_BYTES
from vigie.contracts.pixels import InlineJpeg
from vigie.errors import FrameTooLargeError, MessageRefusedError

# Envelope, the item's other fields (camera and trace names up to 120 characters) and the message's properties.
ENVELOPE_BYTES = 2_048
MAX_SIDE = 16_384
_QUALITIES = (85, 65, 45)
_SCALED_QUALITY = 60
_LEAST_SIDE = 16


def encode_inline(array_bgr: NDArray[np.uint8], limit_bytes: int = MESSAGE_LIMIT_BYTES) -> InlineJpeg:
    """Encode ``array_bgr`` (H, W, 3 uint8) so that a message with this one frame stays within ``limit_bytes``.

    Returns: the JPEG; ``shape`` is what it decodes to, ``source_hw`` the size that came in.
    Raises: FrameTooLargeError: ``limit_bytes`` leaves no room for even a tiny picture.
    """
    source_hw = (array_bgr.shape[0], array_bgr.shape[1])
    room = max(0, limit_bytes - ENVELOPE_BYTES) // 4 * 3  # base64: four characters for three bytes
    jpeg = b""
    for quality in _QUALITIES:
        jpeg = _jpeg(array_bgr, quality)
        if len(jpeg) <= room:
            return InlineJpeg(jpeg, (*source_hw, 3), source_hw)
    scale = 1.0
    while room:
        # Size grows with the area; 0.9 makes one round nearly always enough.
        scale *= 0.9 * min(1.0, math.sqrt(room / len(jpeg)))
        hw = (round(source_hw[0] * scale), round(source_hw[1] * scale))
        if min(hw) < min(_LEAST_SIDE, *source_hw):
            break
        small = cast("NDArray[np.uint8]", cv2.resize(array_bgr, (hw[1], hw[0]), interpolation=cv2.INTER_AREA))
        jpeg = _jpeg(small, _SCALED_QUALITY)
        if len(jpeg) <= room:
            return InlineJpeg(jpeg, (*hw, 3), source_hw)
    raise FrameTooLargeError("inline JPEG", f"{source_hw[0]}x{source_hw[1]}", len(jpeg), room)


def decode_inline(inline: InlineJpeg) -> NDArray[np.uint8]:
    """The frame, (H, W, 3) uint8 BGR, owned by the caller.

    Raises: MessageRefusedError: not a JPEG, or not of the shape it claims.
    """
    claimed_hw = inline.shape[:2]
    # Looked up before decoding: a small file can claim a picture of gigabytes.
    actual_hw = jpeg_size_hw(inline.jpeg)
    if actual_hw != claimed_hw or max(claimed_hw) > MAX_SIDE:
        raise MessageRefusedError("$.pixels.jpeg", f"expected a JPEG of {claimed_hw}, got {actual_hw or 'none'}")
    decoded = cv2.imdecode(np.frombuffer(inline.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None or decoded.shape != tuple(inline.shape):
        raise MessageRefusedError("$.pixels.jpeg", f"the JPEG of {claimed_hw} is damaged")
    return cast("NDArray[np.uint8]", decoded)


def jpeg_size_hw(jpeg: bytes) -> tuple[int, int] | None:
    """Height and width from the frame header (SOFn) of a JPEG; None: there is none. Source: ITU T.81, B.2.2."""
    at = 2
    if jpeg[:at] != b"\xff\xd8":
        return None
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        # C4, C8 and CC lie among the SOFs but are Huffman tables, an extension and arithmetic conditioning.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(jpeg[at + 5 : at + 7]), int.from_bytes(jpeg[at + 7 : at + 9])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None


def _jpeg(array_bgr: NDArray[np.uint8], quality: int) -> bytes:
    done, encoded = cv2.imencode(".jpg", array_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise FrameTooLargeError("inline JPEG", f"shape {array_bgr.shape}", 0, 0)
    return encoded.tobytes()
