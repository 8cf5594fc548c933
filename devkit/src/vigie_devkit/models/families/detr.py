"""RT-DETR, D-FINE (labels, boxes, scores and the picture's size as second input), Ultralytics RT-DETR, RF-DETR.

Source: see ``vigie.vision.decoders.detr``; feeds: RGB 0..1 stretched; RF-DETR with ImageNet's mean and std.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.values import are_shares, finished_format, grid_format
from vigie_devkit.models.recognition import IMAGENET_RGB_STRETCH, UNIT_RGB_STRETCH, Doubt, Recognition
from vigie_devkit.models.signature import Signature

SIZE_INPUT = "orig_target_sizes"
_SHARE_MEDIAN_MAX = 2.0  # of pixels, the median is larger by far
_NEEDS_LABELS = "finished boxes do not say how many classes there are; pass --labels FILE, or --labels coco80"


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task != "detect" or len(signature.outputs) != 1 or signature.label_count is None:
        return
    output = signature.outputs[0]
    if len(output.shape) == 3 and output.shape[2] == 4 + signature.label_count and output.shape[1] <= 1000:
        rows = signature.probe.get(output.name)
        if rows is not None and not are_shares(rows):
            yield Doubt("detr", "its metadata say task 'detect', but its rows hold values outside 0..1; pass --card")
            return
        if rows is not None and (odd := _not_centres(rows[..., :4], signature.input_hw)):
            yield Doubt("detr", f"[1,{output.shape[1]},4+{signature.label_count}] looks like RT-DETR's, but {odd}")
            return
        yield Recognition(
            family="detr",
            decoder="detr",
            params={"layout": "ultralytics"},
            feed=UNIT_RGB_STRETCH,
            outputs=(output.name,),
            class_count=signature.label_count,
            why=f"metadata task 'detect', one output [1,{output.shape[1]},4+{signature.label_count}]",
        )


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    yield from _labels_boxes_scores(signature)
    yield from _transformers(signature)
    boxes, logits = signature.output("dets"), signature.output("labels")
    if boxes is None or logits is None or len(logits.shape) != 3 or boxes.shape[-1] != 4:
        return
    columns = logits.shape[2]
    if signature.label_count != columns:
        yield Doubt(
            "detr",
            f"[1,{logits.shape[1]},{columns}] class logits"
            + (f" and {signature.label_count} class names" if signature.label_count else "")
            + f"; pass --labels with {columns} names, one per column: one of RF-DETR's means nothing, the last "
            "of a fine-tuned model (name it background); its 91 of COCO are COCO's category ids from 0 to 90",
        )
        return
    places = signature.probe.get(boxes.name)
    if places is not None and (odd := _not_queries(places, signature.input_hw)):
        yield Doubt("detr", f"outputs dets, labels look like RF-DETR's, but {odd}")
        return
    yield Recognition(
        family="detr",
        decoder="detr",
        params={"layout": "logits"},
        feed=IMAGENET_RGB_STRETCH,
        outputs=(boxes.name, logits.name),
        class_count=columns,
        why="outputs dets, labels",
    )


def _not_queries(boxes: NDArray[Any], input_hw: tuple[int, int]) -> str:
    """As ``_not_centres``, of boxes that no sigmoid bounds: RF-DETR moves and scales a proposal."""
    written = finished_format(boxes.reshape(-1, 4), input_hw) or ""
    if np.median(np.abs(boxes)) > _SHARE_MEDIAN_MAX or (written and not written.endswith("_share")):
        return "its boxes are not shares of the picture; pass --card"
    return "its boxes read as corners, not as centre and size; pass --card" if written == "xyxy_share" else ""


def _not_centres(boxes: NDArray[Any], input_hw: tuple[int, int]) -> str:
    """Why boxes (1, N, 4) of a run cannot be centre and size as shares of the picture; empty if they can."""
    if not are_shares(boxes):
        return "its boxes are not shares of the picture; pass --card"
    if finished_format(boxes.reshape(-1, 4), input_hw) == "xyxy_share":
        return "its boxes read as corners, not as centre and size; pass --card"
    return ""


def _transformers(signature: Signature) -> Iterator[Recognition | Doubt]:
    """Hugging Face, D-FINE and DEIM without their postprocessor, facebookresearch's DETR: logits and boxes of queries.

    One column more than classes is "no object" and a softmax; as many is a sigmoid.
    """
    boxes, logits = signature.output("pred_boxes"), signature.output("logits") or signature.output("pred_logits")
    if boxes is None or logits is None or len(logits.shape) != 3 or boxes.shape[-1] != 4:
        return
    columns, count = logits.shape[2], signature.label_count
    places, scores = signature.probe.get(boxes.name), signature.probe.get(logits.name)
    if scores is not None and columns == 4 and grid_format(scores[0], signature.input_hw, (8, 16, 32)):
        return  # LibreYOLO calls the boxes of its YOLO-NAS pred_logits, and their scores pred_boxes
    if places is not None and (odd := _not_centres(places, signature.input_hw)):
        yield Doubt("detr", f"outputs {logits.name}, pred_boxes, but {odd}")
        return
    if count not in {columns, columns - 1}:
        yield Doubt(
            "detr",
            f"outputs {logits.name}, pred_boxes with {columns} columns; pass --labels with {columns} names "
            f"(RT-DETR) or {columns - 1} (DETR, YOLOS: the last means: nothing there)",
        )
        return
    yield Recognition(
        family="detr",
        decoder="detr",
        params={"layout": "logits", "softmax": count == columns - 1},
        feed=IMAGENET_RGB_STRETCH,
        other_feeds=(UNIT_RGB_STRETCH,),
        outputs=(boxes.name, logits.name),
        class_count=count,
        why=f"outputs {logits.name}, pred_boxes, {'softmax' if count == columns - 1 else 'sigmoid'}",
    )


def _labels_boxes_scores(signature: Signature) -> Iterator[Recognition | Doubt]:
    labels, boxes, scores = (signature.output(name) for name in ("labels", "boxes", "scores"))
    if labels is None or boxes is None or scores is None or len(boxes.shape) != 3:
        return
    sizes = [port for port in signature.inputs if port.name == SIZE_INPUT]
    if not sizes:
        return
    if signature.label_count is None:
        yield Doubt("detr", _NEEDS_LABELS)
        return
    height, width = signature.input_hw
    places = signature.probe.get(boxes.name)
    if places is not None and (finished_format(places.reshape(-1, 4), signature.input_hw) or "").startswith("cxcywh"):
        yield Doubt("detr", f"{SIZE_INPUT} asks for corners in pixels, its boxes are centres and sizes; pass --card")
        return
    yield Recognition(
        family="detr",
        decoder="detr",
        params={"layout": "labels_boxes_scores"},
        feed=UNIT_RGB_STRETCH,
        outputs=(labels.name, boxes.name, scores.name),
        class_count=signature.label_count,
        fixed_inputs={SIZE_INPUT: [width, height]},
        why=f"outputs labels, boxes, scores and input {SIZE_INPUT}",
    )
