"""SSD-type detectors: OpenVINO's DetectionOutput, TensorFlow's four outputs, torchvision's three.

What they want as input is a convention of each tool: TensorFlow RGB bytes channels last, torchvision RGB 0..1 (its
graph normalises; Azure's AutoML exports leave that to the caller), Caffe and OpenVINO mostly BGR 0..255; all stretch.
Label numbers start at 1 (0 is the background) unless the first label is named background.

Source: see ``vigie.vision.decoders.ssd``; openvinotoolkit/open_model_zoo model descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, are_whole, finished_format, one_per_cell, unlike_boxes
from vigie_devkit.models.recognition import IMAGENET_RGB_STRETCH, UNIT_RGB_STRETCH, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

BYTES_BGR = feed_of("bgr/0..255", "stretch")
BYTES_RGB = feed_of("rgb/0..255", "stretch")
_OTHERS_OF_CAFFE = tuple(feed_of(text, "stretch") for text in ("rgb/0..255", "bgr/caffe", "rgb/0..1", "rgb/imagenet"))
_TENSORFLOW = ("detection_boxes", "detection_classes", "detection_scores")
_NEEDS_LABELS = "finished boxes do not say how many classes there are; pass --labels FILE with one name a line"


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    """TensorFlow: outputs named detection_boxes, detection_classes, detection_scores; their order varies."""
    boxes, classes, scores = (_named(signature, name, rank) for name, rank in zip(_TENSORFLOW, (3, 2, 2), strict=True))
    if boxes is None or classes is None or scores is None or boxes.shape[-1] != 4:
        yield from _strangers(signature)
        return
    doubt = _unfit(signature, boxes, scores, classes, "xyxy_share")
    if doubt:
        yield Doubt("ssd", f"its outputs are named as TensorFlow's, but {doubt}; pass --card")
        return
    why = f"outputs {', '.join(_TENSORFLOW)}"
    yield from _reading(signature, "tensorflow", (BYTES_RGB,), (boxes, classes, scores), why)


def _strangers(signature: Signature) -> Iterator[Doubt]:
    """Boxes, classes and scores by other names: which corner comes first, in which unit, no name says."""
    found = [_ending(signature, word, rank) for word, rank in (("boxes", 3), ("classes", 2), ("scores", 2))]
    named = [port.name for port in found if port is not None]
    if len(named) == 3 and not {*named} & {"detected_boxes", "det_boxes"}:
        yield Doubt(
            "ssd",
            f"outputs {', '.join(named)} are of no exporter that is known: whether boxes are x, y or y, x, in pixels "
            "or 0..1, is not in the file; pass --card with decoder finished, boxes and units",
        )


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    outputs = signature.outputs
    if len(outputs) == 1 and len(outputs[0].shape) == 4 and outputs[0].shape[:2] == (1, 1) and outputs[0].shape[3] == 7:
        yield from _detection_output(signature, outputs[0])
    boxes = [port for port in outputs if len(port.shape) == 2 and port.shape[1] == 4]
    labels = [port for port in outputs if len(port.shape) == 1 and port.dtype.startswith("int")]
    scores = [port for port in outputs if len(port.shape) == 1 and port.dtype.startswith("float")]
    if len(boxes) == len(labels) == len(scores) == 1:
        ports = (boxes[0], labels[0], scores[0])
        doubt = _unfit(signature, boxes[0], scores[0], labels[0], "xyxy")
        if doubt:
            yield Doubt("ssd", f"[N,4], [N], [N] look like torchvision's, but {doubt}; pass --card")
            return
        why = "outputs [N,4], labels [N], scores [N]"
        yield from _reading(signature, "torchvision", (UNIT_RGB_STRETCH, IMAGENET_RGB_STRETCH), ports, why)


def _detection_output(signature: Signature, output: Port) -> Iterator[Recognition | Doubt]:
    rows = signature.probe.get(output.name)
    if rows is not None:
        ends = (rows[0, 0, :, 0] < 0).argmax() if (rows[0, 0, :, 0] < 0).any() else None
        seen = rows[0, 0, :ends]
        seen = seen[seen[:, 2] > 0]
        fits = are_whole(seen[:, :2]) and are_shares(seen[:, 2])
        if len(seen) and not (fits and finished_format(seen[:, 3:], signature.input_hw) == "xyxy_share"):
            yield Doubt(
                "ssd", "[1,1,N,7] is not image, label, score and corners in 0..1 as DetectionOutput writes; pass --card"
            )
            return
        if counted := _from_zero(signature, seen[:, 1], seen[:, 2]):
            yield Doubt("ssd", f"[1,1,N,7] looks like DetectionOutput's, but {counted}")
            return
    why = "one output [1,1,N,7]"
    yield from _reading(signature, "detection_output", (BYTES_BGR, *_OTHERS_OF_CAFFE), (output,), why)


def _unfit(signature: Signature, boxes: Port, scores: Port, labels: Port, written: str) -> str:
    """Why the values of the run are no boxes of this kind; empty where they are, or nothing was found."""
    values = [signature.probe.get(port.name) for port in (boxes, scores, labels)]
    if any(value is None for value in values):
        return ""
    box, score, label = (np.asarray(value) for value in values)
    highest = int(label.reshape(-1)[score.reshape(-1) > 0].max(initial=0))
    if signature.label_count is not None and highest > signature.label_count:
        return f"class number {highest} occurs, and {signature.label_count} labels were passed"
    if counted := _from_zero(signature, label, score):
        return counted
    if one_per_cell(box.reshape(-1, 4), signature.input_hw):
        return (
            "there is a box for every cell, so nothing has suppressed them; pass --card with decoder finished, suppress"
        )
    return unlike_boxes(box.reshape(-1, 4), score, label, signature.input_hw, written)


def _from_zero(signature: Signature, labels: NDArray[Any], scores: NDArray[Any]) -> str:
    """What speaks against numbers from 1: a class 0 that is found, and that no name calls the background."""
    if signature.labels is None or _background_first(signature.labels):
        return ""
    if not (labels.reshape(-1)[scores.reshape(-1) > 0] == 0).any():
        return ""
    return (
        "class number 0 occurs, which is the background where numbers start at 1; pass --labels with background as its "
        "first name if it is, or --card with decoder ssd and first_label: 0 if numbers start there"
    )


def _background_first(labels: Sequence[str]) -> bool:
    return labels[0].strip("_").lower() in {"background", "bg"}


def _named(signature: Signature, name: str, rank: int) -> Port | None:
    found = [port for port in signature.outputs if port.name.split(":")[0] == name and len(port.shape) == rank]
    return found[0] if len(found) == 1 else None


def _ending(signature: Signature, word: str, rank: int) -> Port | None:
    found = [
        port
        for port in signature.outputs
        if len(port.shape) == rank
        and port.name.split(":")[0].lower().endswith(word)
        and not any(other in port.name.lower() for other in ("raw", "multiclass", "anchor"))
    ]
    return found[0] if len(found) == 1 else None


def _reading(
    signature: Signature,
    layout: str,
    feeds: tuple[Feed, ...],
    outputs: Sequence[Port],
    why: str,
) -> Iterator[Recognition | Doubt]:
    if signature.labels is None:
        yield Doubt("ssd", f"{layout}: {_NEEDS_LABELS}")
        return
    background = _background_first(signature.labels)
    yield Recognition(
        family="ssd",
        decoder="ssd",
        params={"layout": layout, "first_label": 0 if background else 1},
        feed=feeds[0],
        outputs=tuple(port.name for port in outputs),
        class_count=None,
        other_feeds=feeds[1:],
        vouched=layout == "tensorflow",
        why=f"{why}; labels numbered from {0 if background else 1}",
    )
