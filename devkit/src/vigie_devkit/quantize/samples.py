"""A frame as the model is fed with it, and what is known to be in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vigie.models import Card
from vigie.vision.letterbox import letterbox_into
from vigie.vision.transform import Transform
from vigie_devkit.accuracy.average_precision import FrameTruth

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class TensorSample:
    """``tensor_hwc`` (H, W, 3) uint8 BGR. ``truth``: objects in frame pixels; ``class_id``: of a classified picture;
    both with the card's own class numbers, ``None`` where nobody labelled it. ``source``: as it was given.
    """

    name: str
    tensor_hwc: NDArray[np.uint8]
    transform: Transform
    frame_hw: tuple[int, int]
    truth: FrameTruth | None = None
    class_id: int | None = None
    source: str = ""


def fit(
    card: Card,
    name: str,
    frame_bgr: NDArray[np.uint8],
    *,
    truth: FrameTruth | None = None,
    class_id: int | None = None,
) -> TensorSample:
    """Letterbox a frame as preprocess would for this card. Raises: ImageShapeError: it is no picture."""
    tensor = np.empty((card.input.height, card.input.width, 3), np.uint8)
    transform = letterbox_into(frame_bgr, tensor, align=card.input.align, pad_value=card.input.pad_value)
    return TensorSample(name, tensor, transform, (frame_bgr.shape[0], frame_bgr.shape[1]), truth, class_id)


def spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """At most ``count`` of them, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]
