"""UltraFace: scores [1, A, 2] and boxes [1, A, 4] in 0..1; RGB (x - 127) / 128, stretched to 320x240 or 640x480.

Source: Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEED = Feed("rgb", "stretch", mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


def by_names(signature: Signature) -> Iterator[Recognition]:
    scores, boxes = signature.output("scores"), signature.output("boxes")
    if len(signature.outputs) == 2 and scores is not None and boxes is not None and _fit(scores, boxes):
        yield _reading(scores, boxes, "outputs scores, boxes")


def by_shape(signature: Signature) -> Iterator[Recognition]:
    if len(signature.outputs) != 2 or signature.nhwc:
        return
    first, second = signature.outputs
    for scores, boxes in ((first, second), (second, first)):
        if _fit(scores, boxes):
            yield _reading(scores, boxes, "shape")


def _fit(scores: Port, boxes: Port) -> bool:
    if len(scores.shape) != 3 or len(boxes.shape) != 3:
        return False
    return scores.shape[1] == boxes.shape[1] and scores.shape[2] == 2 and boxes.shape[2] == 4


def _reading(scores: Port, boxes: Port, by: str) -> Recognition:
    return Recognition(
        family="ultraface",
        decoder="ultraface",
        feed=FEED,
        outputs=(scores.name, boxes.name),
        class_count=1,
        labels=("face",),
        score_min=0.7,
        iou_max=0.5,
        why=f"{by}, [1,{scores.shape[1]},2] and [1,{boxes.shape[1]},4]",
    )
