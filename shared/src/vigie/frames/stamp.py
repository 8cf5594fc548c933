"""A frame's format as one 8-byte word of its slot's record; a reader's reference must match what was stamped."""

from __future__ import annotations

from vigie.contracts.pixels import Layout, Matrix, PixelFormat, Range, Siting
from vigie.errors import PixelFormatError

# Numbers of the format, never used again for another meaning; 0 is "no format".
_LAYOUTS: dict[Layout, int] = {"bgr": 1, "gray": 2, "i420": 3, "i422": 4, "i444": 5, "nv12": 6}
_MATRICES: dict[Matrix, int] = {"bt601": 1, "bt709": 2, "bt2020": 3}
_RANGES: dict[Range, int] = {"limited": 1, "full": 2}
_SITINGS: dict[Siting, int] = {"left": 1, "centre": 2, "top_left": 3}
_SIDE_BITS = 20
SIDE_MAX = (1 << _SIDE_BITS) - 1


def pack_format(pixel_format: PixelFormat) -> int:
    """From the low end: layout 8 bits, matrix 4, range 4, siting 4, 4 spare, height 20, width 20.

    Raises: PixelFormatError: a side that 20 bits do not hold.
    """
    height, width = pixel_format.size_hw
    if not (0 < height <= SIDE_MAX and 0 < width <= SIDE_MAX):
        raise PixelFormatError(f"frame of {height}x{width}", f"has a side outside of 1..{SIDE_MAX}")
    return (
        _LAYOUTS[pixel_format.layout]
        | _MATRICES[pixel_format.matrix] << 8
        | _RANGES[pixel_format.range] << 12
        | _SITINGS[pixel_format.siting] << 16
        | height << 24
        | width << 44
    )
