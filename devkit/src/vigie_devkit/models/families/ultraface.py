"""UltraFace: scores [1, A, 2] and boxes [1, A, 4]; RGB (x - 127) / 128, stretched to 320x240 or 640x480.

A is the number of its priors: three, two, two and three sizes at strides 8, 16, 32 and 64. Its exports write corners in
0..1 or, "without postprocessing", offsets from the priors and scores without their softmax: the values tell.

Source: Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, run_video_face_detect_onnx.py,
vision/ssd/config/fd_config.py (priors), vision/utils/box_utils.py ``convert_locations_to_boxes``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.vision.decoders.ultraface import prior_count
from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEED = Feed("rgb", "stretch", mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    scores, boxes = signature.output("scores"), signature.output("boxes")
    if len(signature.outputs) != 2 or scores is None or boxes is None or not _fit(scores, boxes):
        return
    # With another number of rows the names say nothing: detectors of two classes have them too (PP-YOLOE by libreyolo).
    if scores.shape[1] == prior_count(signature.input_hw):
        yield _reading(signature, scores, boxes, "outputs scores, boxes")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 2 or signature.nhwc:
        return
    first, second = signature.outputs
    for scores, boxes in ((first, second), (second, first)):
        if _fit(scores, boxes):
            yield _reading(signature, scores, boxes, "shape")


def _fit(scores: Port, boxes: Port) -> bool:
    if len(scores.shape) != 3 or len(boxes.shape) != 3:
        return False
    return scores.shape[1] == boxes.shape[1] and scores.shape[2] == 2 and boxes.shape[2] == 4


def _reading(signature: Signature, scores: Port, boxes: Port, by: str) -> Recognition | Doubt:
    what = f"[1,{scores.shape[1]},2] and [1,{boxes.shape[1]},4]"
    params = {}
    values, places = signature.probe.get(scores.name), signature.probe.get(boxes.name)
    if values is not None and places is not None:
        if not (are_shares(values) and np.allclose(values.sum(axis=2), 1.0, atol=5e-3)):
            params["softmax"] = True
        corners = (places[0, :, 2:] > places[0, :, :2]).all(axis=1).mean()
        inside = ((places > -1.0) & (places < 2.0)).mean()
        if not (corners > 0.98 and inside > 0.9):
            params["priors"] = True
    if scores.shape[1] != prior_count(signature.input_hw) and (params or signature.asked is None):
        return Doubt(
            "ultraface",
            f"{what} may be UltraFace, RetinaFace or a detector of two classes: UltraFace has "
            f"{prior_count(signature.input_hw)} rows for this input; pass --card"
            + ("" if params else ", or --family ultraface if it finds faces"),
        )
    return Recognition(
        family="ultraface",
        decoder="ultraface",
        params=params,
        feed=FEED,
        outputs=(scores.name, boxes.name),
        class_count=1,
        labels=("face",),
        score_min=0.7,
        iou_max=0.5,
        why=f"{by}, {what}{', offsets from its priors' if 'priors' in params else ''}",
    )
