"""YOLOv5: [1, 3A, 5+C], three anchors per cell; RGB 0..1, centred letterbox, pad 114. YOLOv5-face: [1, 3A, 16].

Source: ultralytics/yolov5, export.py (metadata stride, names) and utils/augmentations.py ``letterbox``;
deepcam-cn/yolov5-face, models/yolo.py (five landmarks between objectness and class).
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares, grid_format
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Signature

_FACE_COLUMNS, _FACE_CLASS = 16, 15
STRIDES = ((8, 16, 32), (8, 16, 32, 64))


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    # Older exports append the three raw maps; the decoded output has three axes, they have five.
    flat = [output for output in signature.outputs if len(output.shape) == 3]
    if len(flat) != 1 or signature.nhwc:
        return
    _, rows, columns = flat[0].shape
    strides = next((one for one in STRIDES if rows == 3 * signature.anchors(one)), None)
    if columns < 6 or strides is None:
        return
    values = signature.probe.get(flat[0].name)
    on_grid = values is None or grid_format(values[0, :, :4], signature.input_hw, strides, per_cell=3) == "cxcywh"
    scored = values is None or are_shares(values[0, :, 4:])
    faces = columns == _FACE_COLUMNS and values is not None and are_shares(values[0][:, [4, _FACE_CLASS]])
    if faces and on_grid and not scored:
        yield _face(flat[0].name, rows)
        return
    if signature.label_count not in {None, columns - 5}:
        return
    if not scored or not on_grid:
        yield Doubt(
            "yolov5",
            f"[1,3x{rows // 3},{columns}] looks like YOLOv5, but "
            + (
                "its boxes do not lie about their cells"
                if scored
                else "its columns after the box hold values outside 0..1"
            )
            + "; raw maps, key points or landmarks: export it decoded, or pass --card",
        )
        return
    yield Recognition(
        family="yolov5",
        decoder="yolov5",
        feed=UNIT_RGB,
        outputs=(flat[0].name,),
        class_count=columns - 5,
        why=f"one output [1,3x{rows // 3},5+{columns - 5}]",
    )


def _face(output: str, rows: int) -> Recognition:
    return Recognition(
        family="yolov5",
        decoder="yolov5",
        params={"class_at": _FACE_CLASS, "points": True},
        feed=UNIT_RGB,
        outputs=(output,),
        class_count=1,
        labels=("face",),
        task="pose",
        why=f"YOLOv5-face, one output [1,3x{rows // 3},16] whose columns 5 to 14 are landmarks, not scores",
    )
