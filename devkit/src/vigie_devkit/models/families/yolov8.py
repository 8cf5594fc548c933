"""YOLOv8, 9, 11, 12 without suppression in the graph: [1, 4+C, A]; RGB 0..1, centred letterbox, pad 114.

Source: ultralytics/ultralytics, engine/exporter.py (metadata task, names, end2end), data/augment.py ``LetterBox``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares, grid_format
from vigie_devkit.models.labels import COCO80
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature, too_few_names

# The usual levels, "p6", "p2" and the two levels of a tiny one.
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_OTHER_TASKS = ("depth",)


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task in _OTHER_TASKS:
        yield Doubt(
            "yolov8",
            f"its metadata say task '{signature.task}'; only detect, classify, pose, segment, obb and semantic "
            "models are read",
        )
    if signature.task != "detect" or len(signature.outputs) != 1:
        return
    output = signature.outputs[0]
    if _fits(signature, output) and output.shape[1] - 4 == signature.label_count:
        yield _reading(signature, output, "metadata task 'detect'")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 1 or signature.nhwc:
        return
    output = signature.outputs[0]
    if not _fits(signature, output):
        return
    classes = output.shape[1] - 4
    if signature.label_count not in {None, classes} and (few := too_few_names(signature, classes)):
        yield Doubt("yolov8", f"{few}; pass --labels with {classes} names")
        return
    if signature.label_count == classes or (signature.label_count is None and classes == len(COCO80)):
        yield _reading(signature, output, "shape")
    elif signature.label_count is None:
        # 56 rows are 52 classes or one class with 17 key points; 5+C rows may be turned boxes.
        yield Doubt(
            "yolov8",
            f"[1,{output.shape[1]},{output.shape[2]}] may be {classes} classes, but nothing names them and pose or "
            f"oriented-box models look alike; pass --labels with {classes} names",
        )


def _fits(signature: Signature, output: Port) -> bool:
    if len(output.shape) != 3 or output.shape[1] < 5:
        return False
    return output.shape[2] in {signature.anchors(strides) for strides in STRIDES}


def _reading(signature: Signature, output: Port, by: str) -> Recognition | Doubt:
    strides = next(one for one in STRIDES if output.shape[2] == signature.anchors(one))
    columns = signature.probe.get(output.name)
    if columns is not None:
        written = grid_format(columns[0, :4].T, signature.input_hw, strides)
        if not are_shares(columns[0, 4:]):
            return Doubt(
                "yolov8",
                f"[1,{output.shape[1]},{output.shape[2]}] looks like YOLOv8, but its rows after the box hold values "
                "outside 0..1: key points, an angle or scores without their sigmoid; pass --card if it is a detector",
            )
        if written != "cxcywh":
            return Doubt(
                "yolov8",
                f"[1,{output.shape[1]},{output.shape[2]}] looks like YOLOv8, but its boxes are not centres and sizes "
                f"in pixels ({written or 'they do not lie about their cells'}); export it anew, or pass --card",
            )
    return Recognition(
        family="yolov8",
        decoder="yolov8",
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=output.shape[1] - 4,
        vouched=by != "shape",
        why=f"{by}, one output [1,4+{output.shape[1] - 4},{output.shape[2]}]",
    )
