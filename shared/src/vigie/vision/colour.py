"""Y'CbCr to BGR as a matrix: pure numbers of the standards.

Source: ITU-R BT.601-7 section 2.5, BT.709-6 section 3, BT.2020-2 table 4 (non-constant luminance), each with Kr and Kb;
8-bit quantization from the same sections (limited: 16..235 and 16..240) and JFIF 1.02 (full: 0..255).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import Matrix, Range

_KR_KB: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


@cache
def yuv_to_bgr(matrix: Matrix, value_range: Range) -> NDArray[np.float32]:
    """(3, 4) float32: ``bgr = m[:, :3] @ yuv + m[:, 3]``, in 0..255, to be rounded and clipped. Do not change it."""
    kr, kb = _KR_KB[matrix]
    kg = 1.0 - kr - kb
    luma, chroma, black = (255 / 219, 255 / 224, 16.0) if value_range == "limited" else (1.0, 1.0, 0.0)
    blue_u, red_v = 2 * (1 - kb) * chroma, 2 * (1 - kr) * chroma
    green_u, green_v = -2 * kb * (1 - kb) / kg * chroma, -2 * kr * (1 - kr) / kg * chroma
    rows = np.array([[luma, blue_u, 0.0], [luma, green_u, green_v], [luma, 0.0, red_v]])
    offset = -rows @ np.array([black, 128.0, 128.0])
    return np.hstack([rows, offset[:, None]]).astype(np.float32)


@cache
def luma_levels(value_range: Range) -> NDArray[np.uint8] | None:
    """(256,) uint8: luma of this range to gray levels 0..255; None where they are the same. Do not change it."""
    if value_range == "full":
        return None
    return np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
