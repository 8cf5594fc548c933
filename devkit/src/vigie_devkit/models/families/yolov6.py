"""YOLOv6 (Meituan): [1, A, 5+C] as YOLOX has it, decoded, with a fifth column that is 1 everywhere; RGB 0..1, centred.

Source: meituan/YOLOv6, yolov6/models/effidehead.py (the column of ones) and yolov6/data/data_augment.py ``letterbox``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie_devkit.models.evidence.values import are_shares, grid_format
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Signature

STRIDES = ((8, 16, 32), (8, 16, 32, 64))


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 1 or signature.nhwc or len(signature.outputs[0].shape) != 3:
        return
    output = signature.outputs[0]
    strides = next((one for one in STRIDES if output.shape[1] == signature.anchors(one)), None)
    classes = output.shape[2] - 5
    rows = signature.probe.get(output.name)
    if strides is None or classes < 1 or rows is None or not np.all(rows[0, :, 4] == 1.0):
        return
    if signature.label_count not in {None, classes}:
        return
    if not are_shares(rows[0, :, 5:]) or grid_format(rows[0, :, :4], signature.input_hw, strides) != "cxcywh":
        yield Doubt(
            "yolov6",
            "its fifth column is 1 everywhere, but its boxes or scores are not decoded; export it anew, or pass --card",
        )
        return
    yield Recognition(
        family="yolov6",
        decoder="yolov5",
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=classes,
        why=f"one output [1,{output.shape[1]},5+{classes}] whose objectness is 1 everywhere",
    )
