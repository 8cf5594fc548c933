"""The reference of a bundle as (input, outputs) per frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.models.bundle import Bundle
from vigie.models.reference import read_reference


def reference_frames(bundle: Bundle) -> list[tuple[NDArray[np.uint8], list[NDArray[Any]]]]:
    """Empty for a bundle without a reference. Raises: BundleError: it has one that cannot be read."""
    if bundle.card.reference is None:
        return []
    return [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
