"""A frame as it may be shown, stored or sent on: what its camera's twin has blurred is blurred, or all of it is."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.vision.blur import blur_all, blur_boxes
from vigie.vision.convert import to_bgr
from vigie.vision.planes import Planes

# ``none``: the camera asks for none. ``classes``: where they were found. ``everything``: where they are is not known.
Blurred = Literal["none", "classes", "everything"]


def how_blurred(item: FrameItem, found: DetectionsItem | None) -> Blurred:
    """How a picture of ``item`` must be blurred, with what was found in it or None."""
    if item.blur is None:
        return "none"
    if found is None or found.trace != item.trace or not isinstance(found.blur, tuple):
        return "everything"
    return "classes"


def shown_bgr(
    frame: Planes, item: FrameItem, found: DetectionsItem | None, size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """``frame``, which is ``item``'s, at ``size_hw`` as it may leave the device: (h, w, 3) uint8 BGR, a new array."""
    picture_bgr = to_bgr(frame, size_hw)
    how = how_blurred(item, found)
    if how == "everything":
        blur_all(picture_bgr)
    elif how == "classes" and found is not None and isinstance(found.blur, tuple):
        blur_boxes(picture_bgr, found.blur, item.frame_hw)
    return picture_bgr
