"""What preprocess sends to inference: one item per frame, fitted to the input spec."""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie.contracts.blur import Blur, Box
from vigie.contracts.pixels import RingReference


class FrameTransform(msgspec.Struct, frozen=True):
    """Frame pixels to tensor pixels: ``x' = x * scale_x + pad_x``, ``y' = y * scale_y + pad_y``."""

    scale_x: float
    scale_y: float
    pad_x: float
    pad_y: float


# How what was seen twice becomes one: the best sight stays (nms), or parts of an object are put together (nmm).
Merge = Literal["nms", "nmm"]


class View(msgspec.Struct, frozen=True):
    """What one of several tensors of a frame shows: ``box_xyxy`` in pixels of the captured frame."""

    box_xyxy: tuple[float, float, float, float]
    transform: FrameTransform


class TensorItem(msgspec.Struct, frozen=True):
    """One tensor (H, W, 3) uint8 BGR, with what is needed to bring boxes back to frame pixels.

    With ``views``: as many tensors, (N, H, W, 3), in one slot, so that they come, go and are dropped together; what is
    seen in them is one result, put together by ``merge``, and ``transform`` is the first view's. Sent only to an
    inference whose input spec says ``views``.

    ``preprocessed_ms``: milliseconds since capture when the tensor was ready (same host clock). ``trial``: fitted for a
    model on trial, beside the tensor of the same frame that the serving model answers. ``blur``: the frame's.
    ``region_xyxy``: the model sees this part of the frame only, in its pixels. ``named``: for the model that has this
    seat; empty: for the main one. ``beside``: another model answers the same frame too, and its result is the camera's.
    """

    camera: str
    seq: int
    trace: str
    captured_at: str
    captured_ns: int
    frame_hw: tuple[int, int]
    transform: FrameTransform
    spec_version: str
    pixels: RingReference
    preprocessed_ms: float
    keep: bool = False
    trial: bool = False
    views: tuple[View, ...] = ()
    merge: Merge = "nmm"
    blur: Blur | None = None
    region_xyxy: Box | None = None
    named: str = ""
    beside: bool = False
