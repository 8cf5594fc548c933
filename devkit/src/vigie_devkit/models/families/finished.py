"""Finished boxes of other exporters: TensorRT's EfficientNMS, YOLOv7 and YOLO-NAS tables, Paddle, mmdeploy.

- ``det_boxes``, ``det_scores``, ``det_classes``: corners in pixels; YOLOv6, v7, v8 deployed; RGB 0..1, centred.
- ``[N, 7]``: batch, corners in pixels, class, score (YOLOv7) or score, class (YOLO-NAS): the values tell.
- Paddle's ``[N, 6]`` and a count, with inputs ``scale_factor``, ``im_shape``: class, score, corners in pixels; stretch.
- ``boxes``, ``scores``, ``class_idx``: corners in pixels of every cell, not suppressed (Qualcomm AI Hub's YOLOs).
- mmdeploy's ``dets`` [1, N, 5], ``labels`` [1, N]: corners in pixels and score; padded at the right and bottom.

Where there is a row for every cell of a grid, nothing in the graph has suppressed boxes: then the decoder does.

Source: NVIDIA TensorRT, efficientNMSPlugin; quic/ai-hub-models, models/_shared/yolo/model.py;
WongKinYiu/yolov7, models/experimental.py ``ONNX_ORT``;
Deci-AI/super-gradients, documentation/source/models_export.md; PaddlePaddle/PaddleDetection,
deploy/python/preprocess.py; open-mmlab/mmdeploy, docs/en/04-supported-codebases/mmdet.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, are_whole, one_per_cell, unlike_boxes
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

_NEEDS_LABELS = "finished boxes do not say how many classes there are; pass --labels FILE, or --labels coco80"
_PADDLE_SIZES = ("scale_factor", "im_shape")
_PADDLE = tuple(feed_of(text, "stretch") for text in ("rgb/0..1", "rgb/imagenet"))
_OPENMMLAB = tuple(feed_of(text, "top_left") for text in ("bgr/imagenet", "rgb/imagenet", "bgr/0..255"))
_AI_HUB = feed_of("rgb/0..1", "centre", 0)
_NAS = tuple(feed_of(text, "centre") for text in ("rgb/0..255", "bgr/0..255", "rgb/0..1", "bgr/0..1"))


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    yield from _efficient_nms(signature)
    yield from _ai_hub(signature)
    yield from _paddle(signature)
    yield from _mmdeploy(signature)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    """A table of seven columns: which of the last two is the class, whole numbers say."""
    if len(signature.outputs) != 1:
        return
    output = signature.outputs[0]
    if output.shape[-1:] == (6,):
        yield from _six_of_each_cell(signature, output)
    if (
        output.shape[-1:] != (7,)
        or len(output.shape) not in {2, 3}
        or (len(output.shape) == 3 and output.shape[0] != 1)
    ):
        return
    rows = signature.probe.get(output.name)
    what = f"{list(output.shape)} looks like finished boxes of YOLOv7 or YOLO-NAS"
    if rows is None or not rows.size or not rows.any():
        yield Doubt(
            "finished", f"{what}, but it finds nothing on the reference pictures; pass --card with decoder finished"
        )
        return
    table = rows.reshape(-1, 7)
    for score, label, feeds, who in ((6, 5, (UNIT_RGB,), "YOLOv7"), (5, 6, _NAS, "YOLO-NAS")):
        if are_whole(table[:, label]) and are_shares(table[:, score]) and not are_whole(table[:, score]):
            doubt = unlike_boxes(
                table[:, 1:5], table[:, score], table[:, label], signature.input_hw, "xyxy", names=signature.label_count
            )
            if doubt:
                yield Doubt("finished", f"{what}, but {doubt}; pass --card with decoder finished")
            else:
                params = {"box_at": 1, "score_at": score, "label_at": label}
                params |= _suppressing(signature, table[:, 1:5])
                yield from _reading(signature, (output,), params, feeds, why=f"{who}, one output {list(output.shape)}")
            return
    yield Doubt("finished", f"{what}, but which column is the score is open; pass --card with decoder finished")


def _six_of_each_cell(signature: Signature, output: Port) -> Iterator[Recognition | Doubt]:
    """Corners, score, class of every cell: YOLOv10's shape, but nothing is chosen yet."""
    rows = signature.probe.get(output.name)
    if rows is None or rows.size != rows.reshape(-1, 6).size or len(output.shape) not in {2, 3}:
        return
    table = rows.reshape(-1, 6)
    if not one_per_cell(table[:, :4], signature.input_hw):
        return
    what = f"{list(output.shape)}, a box of every cell"
    if doubt := unlike_boxes(
        table[:, :4], table[:, 4], table[:, 5], signature.input_hw, "xyxy", names=signature.label_count
    ):
        yield Doubt("finished", f"{what}, but {doubt}; pass --card with decoder finished, and suppress: true")
        return
    params = {"box_at": 0, "score_at": 4, "label_at": 5, "suppress": True}
    yield from _reading(signature, (output,), params, (UNIT_RGB,), why=what)


def _suppressing(signature: Signature, boxes: NDArray[Any]) -> dict[str, Any]:
    return {"suppress": True} if one_per_cell(boxes, signature.input_hw) else {}


def _ai_hub(signature: Signature) -> Iterator[Recognition | Doubt]:
    boxes, scores, labels = (signature.output(name) for name in ("boxes", "scores", "class_idx"))
    if boxes is None or scores is None or labels is None or len(signature.outputs) != 3:
        return
    yield from _apart(signature, (boxes, scores, labels), (_AI_HUB,), "AI Hub's outputs boxes, scores, class_idx")


def _efficient_nms(signature: Signature) -> Iterator[Recognition | Doubt]:
    boxes, scores = signature.output("det_boxes"), signature.output("det_scores")
    labels = signature.output("det_classes") or signature.output("det_labels")
    if boxes is None or scores is None or labels is None:
        return
    yield from _apart(
        signature, (boxes, scores, labels), (UNIT_RGB,), "TensorRT's outputs det_boxes, det_scores, det_classes"
    )


def _paddle(signature: Signature) -> Iterator[Recognition | Doubt]:
    sizes = [port.name for port in signature.inputs if port.name in _PADDLE_SIZES]
    tables = [port for port in signature.outputs if len(port.shape) == 2 and port.shape[1] == 6]
    if not sizes or len(tables) != 1:
        return
    rows = signature.probe.get(tables[0].name)
    if rows is not None and rows.any():
        kept = rows[rows[:, 0] >= 0]
        doubt = unlike_boxes(
            kept[:, 2:], kept[:, 1], kept[:, 0], signature.input_hw, "xyxy", names=signature.label_count
        )
        if doubt:
            yield Doubt(
                "finished", f"a Paddle export, but {doubt}; pass --card with decoder finished, and fixed_inputs"
            )
            return
    height, width = signature.input_hw
    fixed = {name: [1, 1] if name == "scale_factor" else [height, width] for name in sizes}
    params = {"box_at": 2, "score_at": 1, "label_at": 0}
    feeds = _PADDLE[:1] if "im_shape" in sizes else _PADDLE
    why = f"a Paddle export ({', '.join(sizes)}), one table of class, score, box"
    yield from _reading(signature, (tables[0],), params, feeds, why=why, fixed_inputs=fixed)


def _mmdeploy(signature: Signature) -> Iterator[Recognition | Doubt]:
    dets, labels = signature.output("dets"), signature.output("labels")
    if dets is None or labels is None or dets.shape[-1:] != (5,) or len(labels.shape) != 2:
        return
    rows, classes = signature.probe.get(dets.name), signature.probe.get(labels.name)
    if rows is not None and classes is not None and rows.any():
        table = rows.reshape(-1, 5)
        doubt = unlike_boxes(
            table[:, :4], table[:, 4], classes, signature.input_hw, "xyxy", names=signature.label_count
        )
        if doubt:
            yield Doubt("finished", f"outputs dets, labels look like mmdeploy's, but {doubt}; pass --card")
            return
    why = "mmdeploy's outputs dets, labels"
    yield from _reading(signature, (dets, labels), {"score_at": 4}, _OPENMMLAB, why=why)


def _apart(
    signature: Signature, ports: tuple[Port, Port, Port], feeds: tuple[Feed, ...], why: str
) -> Iterator[Recognition | Doubt]:
    values: list[NDArray[Any] | None] = [signature.probe.get(port.name) for port in ports]
    boxes, scores, labels = (np.empty(0) if value is None else value for value in values)
    if boxes.size:
        doubt = unlike_boxes(
            boxes.reshape(-1, boxes.shape[-1]), scores, labels, signature.input_hw, "xyxy", names=signature.label_count
        )
        if doubt:
            yield Doubt("finished", f"{why}, but {doubt}; pass --card with decoder finished, boxes and units")
            return
    params = _suppressing(signature, boxes.reshape(-1, 4)) if boxes.size and boxes.shape[-1] == 4 else {}
    yield from _reading(signature, ports, params, feeds, why=why)


def _reading(
    signature: Signature,
    outputs: tuple[Port, ...],
    params: dict[str, Any],
    feeds: tuple[Feed, ...],
    *,
    why: str,
    fixed_inputs: dict[str, list[int]] | None = None,
) -> Iterator[Recognition | Doubt]:
    if signature.labels is None:
        yield Doubt("finished", f"{why}: {_NEEDS_LABELS}")
        return
    yield Recognition(
        family="finished",
        decoder="finished",
        params=params,
        feed=feeds[0],
        other_feeds=feeds[1:],
        outputs=tuple(port.name for port in outputs),
        class_count=None,
        fixed_inputs=fixed_inputs or {},
        vouched=fixed_inputs is not None,
        why=why,
    )
