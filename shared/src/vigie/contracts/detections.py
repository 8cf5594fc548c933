"""What inference sends to sync, and sync to the cloud: one item per inferred frame, with what was seen in it."""

from __future__ import annotations

import msgspec

from vigie.contracts.blur import Box
from vigie.contracts.lanes import lane_of


class Mask(msgspec.Struct, frozen=True):
    """Where in its box an object is: a grid of ``size_hw`` cells stretched over ``box_xyxy``.

    ``runs``: lengths of runs of cells, row by row, outside and inside in turn, beginning with outside.
    """

    size_hw: tuple[int, int]
    runs: tuple[int, ...]


class OrientedBox(msgspec.Struct, frozen=True):
    """A box that is turned: the centre and two sides in pixels of the captured frame, not clipped to it.

    ``angle_degrees``: from the frame's x axis to the side ``size_wh[0]``, clockwise as one sees it, 0 to below 180.
    """

    centre_xy: tuple[float, float]
    size_wh: tuple[float, float]
    angle_degrees: float


class Detection(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object. ``box_xyxy``: left, top, right, bottom in pixels of the captured frame; ``score`` in 0..1.

    ``keypoints``: of a pose model, x and y in the same pixels and how sure the model is of each, 0..1. ``mask``: of a
    segmentation model; of a semantic one, all that the frame shows of this class; of an anomaly model, what is
    abnormal. ``oriented``: of a model of oriented boxes; ``box_xyxy`` is then the upright box around it. ``embedding``:
    of a model of embeddings, base64 of little-endian float16 numbers that form a vector of length 1, at most 2048. All
    are left out of the message by other models. ``track``: the id that this object has in all
    frames of its camera; absent at its first sight, and for who does not track.
    """

    label: str
    class_id: int
    score: float
    box_xyxy: tuple[float, float, float, float]
    keypoints: tuple[tuple[float, float, float], ...] = ()
    mask: Mask | None = None
    oriented: OrientedBox | None = None
    embedding: str | None = None
    track: str | None = None


class StageTimings(msgspec.Struct, frozen=True):
    """Milliseconds since capture at the end of each stage; ``inference_ms`` is the model's own time.

    ``received_ms`` is set by sync when its rules see the frame, ``committed_ms`` when it records the item: up to a
    tenth of a second later, with others.
    """

    preprocessed_ms: float
    inferred_ms: float
    inference_ms: float
    committed_ms: float | None = None
    received_ms: float | None = None


class DetectionsItem(msgspec.Struct, frozen=True):
    """What was seen in one frame; an empty list is a result too. ``trace`` is the idempotency key.

    ``blur``: of a frame that asks for it, where the classes to blur are or were a moment ago, whatever score and
    classes are passed on; None: the model does not know all of them. Absent from other frames, and upstream.
    ``beside``: the name of a model that sees this frame beside the one that serves the camera; absent from that one's.
    """

    camera: str
    seq: int
    trace: str
    captured_at: str
    captured_ns: int
    frame_hw: tuple[int, int]
    model: str
    detections: list[Detection]
    timings: StageTimings
    keep: bool = False
    blur: tuple[Box, ...] | msgspec.UnsetType | None = msgspec.UNSET
    beside: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def lane(self) -> str:
        """The camera; of a model beside, its own way (``lane_of``)."""
        return lane_of(self.camera, self.beside or "")
