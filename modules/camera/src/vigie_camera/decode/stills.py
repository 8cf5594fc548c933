"""What kind of picture a file's or a message's bytes are. Pure."""

from __future__ import annotations

from typing import Final

_MARKS: Final = (
    (0, b"\xff\xd8\xff", "mjpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"BM", "bmp"),
    (8, b"WEBP", "webp"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
)
# Cameras put a few bytes behind the end of a picture.
_JPEG_END, _JPEG_END_WITHIN = b"\xff\xd9", 1024


def picture_codec(data: bytes) -> str | None:
    """FFmpeg's name of the codec; None: not a kind that is known, or a JPEG without its end."""
    for at, mark, codec in _MARKS:
        if data[at : at + len(mark)] == mark:
            # Decoders fill what is missing with grey and say nothing.
            whole = codec != "mjpeg" or _JPEG_END in data[-_JPEG_END_WITHIN:]
            return codec if whole else None
    return None
