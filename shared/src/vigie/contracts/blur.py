"""What must be unrecognisable wherever a frame is shown, stored or sent on, and where in the frame that is.

The camera says it with every frame (``FrameItem.blur``); the model must see frames as they are, so pixels in shared
memory stay. Whoever makes a picture of a frame blurs first, by what inference found in this very frame
(``DetectionsItem.blur``), and the whole picture where that is not known.
"""

from __future__ import annotations

import msgspec

Box = tuple[float, float, float, float]


class Blur(msgspec.Struct, frozen=True):
    """Classes to blur, by label. ``asked``: the camera waits for a ``BlurAnswer`` for this frame, for a snapshot."""

    labels: tuple[str, ...]
    asked: bool = False


class BlurAnswer(msgspec.Struct, frozen=True):
    """Inference to camera: where the classes are in the frame ``trace``, in its pixels.

    ``boxes`` None: the model that saw the frame does not know all of the classes.
    """

    camera: str
    seq: int
    trace: str
    boxes: tuple[Box, ...] | None
