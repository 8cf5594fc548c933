"""One frame on its way from a source into a slot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.pixels import PixelFormat
from vigie.vision.planes import Planes


@dataclass(frozen=True, slots=True)
class Frame:
    """The next frame. ``pace_s``: the time it is paced by, of the stream (files) or of its arrival (live).
    ``keys``: key frames so far, None where the decoder does not tell. ``luma``: to be looked at in place, where it
    is there without ``fill``.

    ``fill`` writes it into planes of its format; to be called before the next frame is asked for, or not at all.
    """

    format: PixelFormat
    pace_s: float
    media_s: float | None
    fill: Callable[[Planes], None]
    keys: int | None = None
    luma: NDArray[np.uint8] | None = None
