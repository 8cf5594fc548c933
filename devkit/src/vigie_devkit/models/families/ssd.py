"""SSD-type detectors: OpenVINO's DetectionOutput, TensorFlow's four outputs, torchvision's three.

What they want as input is a convention of each tool: TensorFlow RGB bytes channels last, torchvision RGB 0..1, Caffe
and OpenVINO BGR 0..255; all stretch. ``--channels``, ``--mean`` and ``--std`` say otherwise. Label numbers start at 1
(0 is the background) unless the first label is named background.

Source: see ``vigie.vision.decoders.ssd``; openvinotoolkit/open_model_zoo model descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vigie_devkit.models.recognition import UNIT_RGB_STRETCH, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

BYTES_BGR = Feed("bgr", "stretch")
BYTES_RGB = Feed("rgb", "stretch")
_NEEDS_LABELS = "finished boxes do not say how many classes there are; pass --labels FILE with one name a line"


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    """TensorFlow: outputs whose names end in boxes, classes, scores; their order varies."""
    boxes = _ending(signature, "boxes", 3)
    classes, scores = _ending(signature, "classes", 2), _ending(signature, "scores", 2)
    if boxes is None or classes is None or scores is None or boxes.shape[-1] != 4:
        return
    yield from _reading(signature, "tensorflow", BYTES_RGB, (boxes, classes, scores), "outputs boxes, classes, scores")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    outputs = signature.outputs
    if len(outputs) == 1 and len(outputs[0].shape) == 4 and outputs[0].shape[:2] == (1, 1) and outputs[0].shape[3] == 7:
        yield from _reading(signature, "detection_output", BYTES_BGR, outputs, "one output [1,1,N,7]")
    boxes = [port for port in outputs if len(port.shape) == 2 and port.shape[1] == 4]
    labels = [port for port in outputs if len(port.shape) == 1 and port.dtype.startswith("int")]
    scores = [port for port in outputs if len(port.shape) == 1 and port.dtype.startswith("float")]
    if len(boxes) == len(labels) == len(scores) == 1:
        ports = (boxes[0], labels[0], scores[0])
        yield from _reading(signature, "torchvision", UNIT_RGB_STRETCH, ports, "outputs [N,4], labels [N], scores [N]")


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
    signature: Signature, layout: str, feed: Feed, outputs: Sequence[Port], why: str
) -> Iterator[Recognition | Doubt]:
    if signature.labels is None:
        yield Doubt("ssd", f"{layout}: {_NEEDS_LABELS}")
        return
    background = signature.labels[0].strip("_").lower() in {"background", "bg"}
    yield Recognition(
        family="ssd",
        decoder="ssd",
        params={"layout": layout, "first_label": 0 if background else 1},
        feed=feed,
        outputs=tuple(port.name for port in outputs),
        class_count=None,
        why=f"{why}; labels numbered from {0 if background else 1}, {feed.channels} input by the tool's convention",
    )
