"""What preprocess sends to inference: one item per frame, fitted to the input spec."""

from __future__ import annotations

import msgspec

from vigie.contracts.pixels import RingReference


class FrameTransform(msgspec.Struct, frozen=True):
    """Frame pixels to tensor pixels: ``x' = x * scale_x + pad_x``, ``y' = y * scale_y + pad_y``."""

    scale_x: float
    scale_y: float
    pad_x: float
    pad_y: float


class TensorItem(msgspec.Struct, frozen=True):
    """One tensor (H, W, 3) uint8 BGR, with what is needed to bring boxes back to frame pixels.

    ``preprocessed_ms``: milliseconds since capture when the tensor was ready (same host clock). ``trial``: fitted for a
    model on trial, beside the tensor of the same frame that the serving model answers.
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
