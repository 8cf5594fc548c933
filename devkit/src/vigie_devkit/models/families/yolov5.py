"""YOLOv5: [1, 3A, 5+C], three anchors a cell; RGB 0..1, centred letterbox, pad 114.

Source: ultralytics/yolov5, export.py (metadata stride, names) and utils/augmentations.py ``letterbox``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.recognition import UNIT_RGB, Recognition
from vigie_devkit.models.signature import Signature

STRIDES = ((8, 16, 32), (8, 16, 32, 64))


def by_shape(signature: Signature) -> Iterator[Recognition]:
    # Older exports append the three raw maps; the decoded output has three axes, they have five.
    flat = [output for output in signature.outputs if len(output.shape) == 3]
    if len(flat) != 1 or signature.nhwc:
        return
    _, rows, columns = flat[0].shape
    if columns < 6 or rows not in {3 * signature.anchors(strides) for strides in STRIDES}:
        return
    if signature.label_count not in {None, columns - 5}:
        return
    yield Recognition(
        family="yolov5",
        decoder="yolov5",
        feed=UNIT_RGB,
        outputs=(flat[0].name,),
        class_count=columns - 5,
        why=f"one output [1,3x{rows // 3},5+{columns - 5}]",
    )
