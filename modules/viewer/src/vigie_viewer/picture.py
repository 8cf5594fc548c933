"""One picture as it travels to the page: 4 bytes length, JSON, JPEG. Boxes and pixels of one frame cannot part."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from vigie.contracts.detections import Detection, DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.frames.shown import how_blurred

_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Picture:
    """``detections`` None: nobody looked for objects in this frame, which is not the same as none found."""

    frame: FrameItem
    detections: DetectionsItem | None
    width: int
    jpeg: bytes
    _head: dict[str, Any] = field(default_factory=dict)

    def message(self) -> bytes:
        """The bytes of one WebSocket message; the age is that at this call, as the clocks of host and page differ."""
        head = {**self.head(), "age_ms": round((time.monotonic_ns() - self.frame.captured_ns) / 1e6, 1)}
        encoded = _encoder.encode(head)
        return b"".join((len(encoded).to_bytes(4, "big"), encoded, self.jpeg))

    def head(self) -> dict[str, Any]:
        if not self._head:
            frame, found = self.frame, self.detections
            self._head = {
                "camera": frame.camera,
                "seq": frame.seq,
                "trace": frame.trace,
                "at": frame.captured_at,
                "hw": frame.frame_hw,
                "model": found.model if found else None,
                "blurred": how_blurred(frame, found),
                "boxes": None if found is None else [_box(one) for one in found.detections],
                "ms": None
                if found is None
                else [found.timings.preprocessed_ms, found.timings.inferred_ms, found.timings.inference_ms],
            }
        return self._head


def trial_text(seen: DetectionsItem) -> str:
    """What a model on trial saw in a frame; the page draws it over the picture of that very frame."""
    body = {
        "kind": "trial", "camera": seen.camera, "trace": seen.trace, "seq": seen.seq, "model": seen.model,
        "boxes": [_box(one) for one in seen.detections], "ms": seen.timings.inference_ms,
    }  # fmt: skip
    return _encoder.encode(body).decode()


def _box(one: Detection) -> list[Any]:
    """Label, class, score, four sides, track; then, where there are any, key points, the mask's grid, a turned box."""
    box: list[Any] = [one.label, one.class_id, one.score, *one.box_xyxy, one.track]
    if one.keypoints or one.mask is not None or one.oriented is not None:
        mask = None if one.mask is None else [*one.mask.size_hw, one.mask.runs]
        box += [one.keypoints or None, mask]
    if one.oriented is not None:
        box.append([*one.oriented.centre_xy, *one.oriented.size_wh, one.oriented.angle_degrees])
    return box
