"""RT-DETR, D-FINE (labels, boxes, scores and the picture's size as second input), Ultralytics RT-DETR, RF-DETR.

Source: see ``vigie.vision.decoders.detr``; feeds: RGB 0..1 stretched; RF-DETR with ImageNet's mean and std.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.recognition import IMAGENET_RGB_STRETCH, UNIT_RGB_STRETCH, Doubt, Recognition
from vigie_devkit.models.signature import Signature

SIZE_INPUT = "orig_target_sizes"
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
    if signature.label_count is None or signature.label_count > logits.shape[2]:
        yield Doubt("detr", f"[1,{logits.shape[1]},{logits.shape[2]}] class logits; pass --labels with their names")
        return
    yield Recognition(
        family="detr",
        decoder="detr",
        # Columns in front of the named ones are the background's or COCO's unused number 0.
        params={"layout": "logits", "first_label": logits.shape[2] - signature.label_count},
        feed=IMAGENET_RGB_STRETCH,
        outputs=(boxes.name, logits.name),
        class_count=signature.label_count,
        why="outputs dets, labels",
    )


def _transformers(signature: Signature) -> Iterator[Recognition | Doubt]:
    """Hugging Face: one column more than classes is "no object" and a softmax; as many is a sigmoid."""
    boxes, logits = signature.output("pred_boxes"), signature.output("logits")
    if boxes is None or logits is None or len(logits.shape) != 3 or boxes.shape[-1] != 4:
        return
    columns, count = logits.shape[2], signature.label_count
    if count not in {columns, columns - 1}:
        yield Doubt(
            "detr",
            f"Hugging Face's outputs logits, pred_boxes with {columns} columns; pass --labels with {columns} names "
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
        why=f"Hugging Face's outputs logits, pred_boxes, {'softmax' if count == columns - 1 else 'sigmoid'}",
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
