"""Azure Custom Vision: finished boxes in three outputs, or the older export's one grid of five anchors.

``detected_boxes`` as x1, y1, x2, y2 in 0..1, ``detected_scores``, ``detected_classes`` from 0; RGB 0..255, stretched.
The older ``model_outputs0`` [1, 5(5+C), H/32, W/32] is a YOLOv2 head; BGR 0..255, stretched.

Source: README and predict.py of Custom Vision's exports (Azure-Samples/customvision-export-samples, python/onnx).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, are_whole, one_per_cell
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Signature

_PARTS = ("detected_boxes", "detected_scores", "detected_classes")
_ANCHORS, _STRIDE = 5, 32
_NEEDS_LABELS = "pass --labels labels.txt, the file beside model.onnx in the export"


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    yield from _grid(signature)
    found = [signature.output(name) for name in _PARTS]
    boxes, scores, classes = found
    if boxes is None or scores is None or classes is None:
        return
    suppress: dict[str, bool] = {}
    values = [signature.probe.get(name) for name in _PARTS]
    if all(value is not None for value in values):
        box, score, label = (np.asarray(value) for value in values)
        if box.shape[-1] != 4 or not are_shares(score) or not are_whole(label):
            yield Doubt(
                "customvision", "its outputs have Custom Vision's names, but hold no boxes, scores and class ids"
            )
            return
        highest = int(label.reshape(-1)[score.reshape(-1) > 0].max(initial=0))
        if signature.label_count is not None and highest >= signature.label_count:
            yield Doubt(
                "customvision",
                f"class number {highest} occurs, and {signature.label_count} names were passed; {_NEEDS_LABELS}",
            )
            return
        if one_per_cell(box.reshape(-1, 4), signature.input_hw):
            suppress = {"suppress": True}  # the names alone; Custom Vision's own are chosen
    if signature.labels is None:
        yield Doubt("customvision", f"Custom Vision keeps class names in a file of their own; {_NEEDS_LABELS}")
        return
    yield Recognition(
        family="customvision",
        decoder="finished",
        params={"units": "share", **suppress},
        feed=feed_of("rgb/0..255", "stretch"),
        outputs=(boxes.name, scores.name, classes.name),
        class_count=None,
        vouched=True,
        why=f"Azure Custom Vision's outputs {', '.join(_PARTS)}",
    )


def _grid(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = signature.output("model_outputs0")
    height, width = signature.input_hw
    if output is None or len(output.shape) != 4 or output.shape[2:] != (height // _STRIDE, width // _STRIDE):
        return
    classes, rest = divmod(output.shape[1], _ANCHORS)
    classes -= 5
    if rest or classes < 1:
        return
    if signature.label_count != classes:
        yield Doubt("customvision", f"an older Custom Vision export of {classes} classes; {_NEEDS_LABELS}")
        return
    yield Recognition(
        family="customvision",
        decoder="yolov2",
        feed=feed_of("bgr/0..255", "stretch"),
        outputs=(output.name,),
        class_count=classes,
        vouched=True,
        why=f"Azure Custom Vision's older grid model_outputs0 [1,5x(5+{classes}),{output.shape[2]},{output.shape[3]}]",
    )
