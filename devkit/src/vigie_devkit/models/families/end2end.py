"""YOLOv10, YOLO26 and exports with ``nms=True``: [1, N, 6]; RGB 0..1, centred letterbox, pad 114.

Ultralytics' RT-DETR has the same shape, but writes centres and sizes in 0..1 and is fed stretched: the values tell, and
its metadata (``head: RTDETRDecoder``).

Source: ultralytics/ultralytics, engine/exporter.py (metadata end2end, args.nms).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from vigie_devkit.models.evidence.values import are_shares, are_whole, finished_format, one_per_cell
from vigie_devkit.models.recognition import UNIT_RGB, UNIT_RGB_STRETCH, Doubt, Recognition
from vigie_devkit.models.signature import Port, Signature

ROWS_MAX = 1000


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task == "detect" and (output := _rows(signature)) is not None and signature.label_count:
        yield _reading(signature, output, signature.label_count, "metadata task 'detect'", vouched=True)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    output = _rows(signature)
    if output is None or signature.nhwc:
        return
    if signature.label_count is None:
        yield Doubt(
            "end2end", f"[1,{output.shape[1]},6] holds finished boxes but not how many classes there are; pass --labels"
        )
    else:
        yield _reading(signature, output, signature.label_count, "shape", vouched=False)


def _rows(signature: Signature) -> Port | None:
    if len(signature.outputs) != 1:
        return None
    output = signature.outputs[0]
    if len(output.shape) != 3 or output.shape[1] > ROWS_MAX or output.shape[2] != 6:
        return None
    rows = signature.probe.get(output.name)
    if rows is not None and one_per_cell(rows.reshape(-1, 6)[:, :4], signature.input_hw):
        return None  # a box of every cell: nothing is chosen yet (family finished)
    return output


def _reading(signature: Signature, output: Port, classes: int, by: str, *, vouched: bool) -> Recognition | Doubt:
    rows = signature.probe.get(output.name)
    head = signature.metadata.get("head", "")
    if rows is None:
        return _corners(output, classes, by, vouched=vouched)
    doubt, written = _values(signature, rows[0], classes)
    if not doubt and not written and vouched:
        written = "cxcywh_share" if "RTDETR" in head else "xyxy"  # nothing found: its metadata tell
    if written == "xyxy" and "RTDETR" not in head:
        return _corners(output, classes, by, vouched=vouched)
    if written == "cxcywh_share":
        found = f"{by}{f', head {head}' if head else ''}, box columns in 0..1"
        return _centres(output, classes, found, vouched=vouched)
    doubt = doubt or (
        f"its boxes are {written}, not corners in pixels; pass --card with decoder finished, boxes and units"
        if written
        else "it finds nothing on the reference pictures; pass --card with decoder finished"
    )
    return Doubt("end2end", f"[1,{output.shape[1]},6] looks like finished boxes, but {doubt}")


def _values(signature: Signature, rows: NDArray[Any], classes: int) -> tuple[str, str]:
    """What speaks against score and class in the last columns, and how boxes are written."""
    if not are_shares(rows[:, 4]) or not are_whole(rows[:, 5]) or rows[:, 5].max(initial=0) >= classes:
        return (
            f"its last two columns are not a score in 0..1 and one of {classes} class numbers; pass --card with "
            "decoder finished and its columns"
        ), ""
    seen = rows[rows[:, 4] > 0]
    if not len(seen):
        return "", ""
    return "", finished_format(seen[:, :4], signature.input_hw) or "neither corners nor centres"


def _corners(output: Port, classes: int, by: str, *, vouched: bool) -> Recognition:
    return Recognition(
        family="end2end",
        decoder="end2end",
        feed=UNIT_RGB,
        outputs=(output.name,),
        class_count=classes,
        vouched=vouched,
        why=f"{by}, one output [1,{output.shape[1]},6] of finished boxes, corners in pixels",
    )


def _centres(output: Port, classes: int, by: str, *, vouched: bool) -> Recognition:
    return Recognition(
        family="detr",
        decoder="finished",
        params={"boxes": "cxcywh", "units": "share", "score_at": 4, "label_at": 5},
        feed=UNIT_RGB_STRETCH,
        outputs=(output.name,),
        class_count=classes,
        vouched=vouched,
        why=f"Ultralytics' RT-DETR: {by}, one output [1,{output.shape[1]},6]",
    )
