"""YOLOv10, YOLO26 and exports with ``nms=True``: [1, N, 6]; RGB 0..1, centred letterbox, pad 114.

Source: ultralytics/ultralytics, engine/exporter.py (metadata end2end, args.nms).
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature

ROWS_MAX = 1000


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task == "detect" and (output := _rows(signature)) is not None and signature.label_count:
        yield _reading(output, signature.label_count, "metadata task 'detect'")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = _rows(signature)
    if output is None or signature.nhwc:
        return
    if signature.label_count is None:
        yield Doubt(
            "end2end", f"[1,{output.shape[1]},6] holds finished boxes but not how many classes there are; pass --labels"
        )
    else:
        yield _reading(output, signature.label_count, "shape")


def _rows(signature: Signature) -> Port | None:
    if len(signature.outputs) != 1:
        return None
    output = signature.outputs[0]
    return output if len(output.shape) == 3 and output.shape[1] <= ROWS_MAX and output.shape[2] == 6 else None


def _reading(output: Port, classes: int, by: str) -> Recognition:
    return Recognition(
        family="end2end",
        decoder="end2end",
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=classes,
        why=f"{by}, one output [1,{output.shape[1]},6] of finished boxes",
    )
