"""What camera sends to preprocess: one item per captured frame."""

from __future__ import annotations

import msgspec

from vigie.contracts.blur import Blur
from vigie.contracts.pixels import Pixels


class FrameItem(msgspec.Struct, frozen=True):
    """One captured frame.

    ``seq`` counts the frames of ``camera`` from 0 within one start of the camera module; ``trace`` is unique for ever
    (``<camera>-<boot>-<seq>``) and goes along to the cloud as the idempotency key of what was seen in this frame.
    ``captured_at`` is UTC ISO 8601 with microseconds; ``captured_ns`` is CLOCK_MONOTONIC of the capturing host.
    ``media_s``: the frame's own time in its stream, in seconds; a file's begins near 0, a camera's is the camera's.
    ``blur``: whoever shows or stores this frame blurs first (``vigie.frames.shown`` does).
    ``weight``: its camera's share where not all frames can be inferred, for who sends it on.
    ``keep``: every such frame must be inferred (a file at pace ``max``): nobody may drop it, senders wait instead.
    """

    camera: str
    seq: int
    trace: str
    captured_at: str
    captured_ns: int
    frame_hw: tuple[int, int]
    pixels: Pixels
    keep: bool = False
    media_s: float | None = None
    blur: Blur | None = None
    weight: float = 1.0
