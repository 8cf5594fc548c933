"""Semantic segmentation: one map of class scores or of class numbers; torchvision, Hugging Face, PaddleSeg, DeepLab.

- ``logits`` [1, C, H/4, W/4] for ``pixel_values`` (SegFormer, UPerNet, BEiT by Hugging Face's exporters).
- ``out`` and ``aux`` [1, C, H, W] (torchvision's DeepLab, FCN; LR-ASPP has no ``aux``: its ``out`` is a map like any).
- [1, C, H, W] or [1, H, W, C], shares that add up to 1 at each place: no other network gives these.
- Ultralytics' task 'semantic' by its metadata; RGB 0..1, centred, pad 114.
- [1, H, W] or [1, 1, H, W] of whole numbers: classes, already chosen (PaddleSeg, TensorFlow).

Scores without a softmax are heat maps of key points, depth, pictures or features as often: there ``--family semantic``
decides. One channel (a matte, text, a depth) is never taken without it.

Source: huggingface/optimum, exporters/onnx; pytorch/vision, models/segmentation/_utils.py; PaddlePaddle/PaddleSeg,
tools/export.py (``--output_op``); ultralytics, models/yolo/semantic/predict.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie_devkit.models.evidence.spelling import feed_of
from vigie_devkit.models.evidence.values import are_shares, are_whole
from vigie_devkit.models.recognition import UNIT_RGB, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEEDS = tuple(
    feed_of(text, "stretch")
    for text in ("rgb/imagenet", "rgb/0..1", "rgb/-1..1", "rgb/0..255", "bgr/0..255", "bgr/caffe", "bgr/0..1")
)
# What label lists call the places that show nothing of interest.
BACKGROUND = frozenset({"background", "_background_", "__background__", "unlabeled", "unlabelled", "void"})
# A coarser map shows features, not places: SegFormer's is a quarter of the picture, other networks' features a 32nd.
_COARSEST = 16
_CUSTOM_VISION = "model_outputs0"  # a grid of boxes


def by_metadata(signature: Signature) -> Iterator[Recognition | Doubt]:
    if signature.task != "semantic":
        return
    if len(signature.outputs) != 1 or _kind(signature, signature.outputs[0]) is None:
        yield Doubt("semantic", "its metadata say task 'semantic', but it has no one map of its classes; pass --card")
        return
    yield from _reading(signature, signature.outputs[0], "metadata task 'semantic'", (UNIT_RGB,), vouched=True)


def by_names(signature: Signature) -> Iterator[Recognition | Doubt]:
    names = {port.name for port in signature.outputs}
    port = signature.outputs[0]
    if names == {"out", "aux"} and signature.output("out") is not None:
        port, who = next(one for one in signature.outputs if one.name == "out"), "torchvision's outputs out, aux"
    elif names == {"logits"} and [one.name for one in signature.inputs] == ["pixel_values"] and len(port.shape) == 4:
        who = "Hugging Face's output logits, a map"
    else:
        return
    if _kind(signature, port) in {"logits", "shares"} and port.shape[1] > 1:
        yield from _reading(signature, port, who, FEEDS)


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    asked = signature.asked == "semantic"
    if len(signature.outputs) != 1 or len(signature.inputs) != 1:
        return
    port = signature.outputs[0]
    kind = _kind(signature, port)
    if kind is None or port.name == _CUSTOM_VISION:
        return
    if kind == "index" or (kind == "shares" and _classes(signature, port) > 1) or asked:
        yield from _reading(signature, port, "shape", FEEDS)
        return
    yield Doubt(
        "semantic",
        f"[{','.join(map(str, port.shape))}] is a map over the picture, but its numbers may be scores of classes, heat "
        f"maps of key points, depth, a matte or another picture; pass --family semantic, and --labels with "
        f"{_classes(signature, port)} names, if each place shows one class",
    )


def _channels_last(signature: Signature, port: Port) -> bool:
    """Whether the classes come last: the sides of the picture, or of a part of it, come first."""
    return _is_map(signature, port.shape[1:3]) and not _is_map(signature, port.shape[2:])


def _is_map(signature: Signature, sides: tuple[int, ...]) -> bool:
    """Whether these are the picture's sides, divided alike by 1 to 16 (rounded, or the last row shared)."""
    height, width = signature.input_hw
    return any(
        abs(sides[0] - height / step) <= 1 and abs(sides[1] - width / step) <= 1 for step in range(1, _COARSEST + 1)
    )


def _classes(signature: Signature, port: Port) -> int:
    return port.shape[3] if _channels_last(signature, port) else port.shape[1]


def _kind(signature: Signature, port: Port) -> str | None:
    """``logits``, ``shares`` or ``index`` by the values of a run; ``None``: no map, or not of these."""
    rank = len(port.shape)
    if rank not in {3, 4} or port.shape[0] != 1:
        return None
    last = rank == 4 and _channels_last(signature, port)
    if not last and not _is_map(signature, port.shape[-2:]):
        return None
    values = signature.probe.get(port.name)
    if values is None:
        return None
    single = rank == 3 or port.shape[1] == 1
    if single and are_whole(values) and values.min() >= 0 and (values.dtype.kind in "iu" or values.max() > 1):
        return "index"
    if rank == 3 or values.dtype.kind != "f":
        return None
    return "shares" if _are_shares_of_one(values, 3 if last else 1) else "logits"


def _are_shares_of_one(values: NDArray[Any], axis: int) -> bool:
    if not are_shares(values):
        return False
    return values.shape[axis] == 1 or bool(np.allclose(values.astype(np.float64).sum(axis=axis), 1.0, atol=5e-3))


def _reading(
    signature: Signature, port: Port, why: str, feeds: tuple[Feed, ...], *, vouched: bool = False
) -> Iterator[Recognition | Doubt]:
    kind = _kind(signature, port) or "logits"
    labels, shown = signature.labels, f"[{','.join(map(str, port.shape))}]"
    params: dict[str, Any] = {"values": kind}
    if kind == "index":
        count = None
        greatest = int(signature.probe[port.name].max())
        if labels is None:
            yield Doubt(
                "semantic",
                f"{why}, {shown} of class numbers, which do not say how many classes there are; pass --labels FILE",
            )
            return
        if len(labels) == 1:
            params["first"] = 1  # 0 is outside of the one class: a map of nothing but class 0 would say nothing
        if greatest - params.get("first", 0) >= len(labels):
            yield Doubt(
                "semantic",
                f"{shown} holds class number {greatest}, and {len(labels)} names were passed; pass --labels FILE",
            )
            return
    else:
        count = _classes(signature, port)
        if labels is not None and len(labels) != count:
            yield Doubt(
                "semantic", f"{shown} has {count} classes, {len(labels)} names were passed; pass {count} with --labels"
            )
            return
        if _channels_last(signature, port):
            params["channels_last"] = True
    background = next((at for at, label in enumerate(labels or ()) if label.strip().lower() in BACKGROUND), None)
    if background is not None:
        params["background"] = background
    yield Recognition(
        family="semantic",
        decoder="semantic",
        params=params,
        feed=feeds[0],
        other_feeds=feeds[1:],
        outputs=(port.name,),
        class_count=count,
        task="semantic",
        score_min=0.0,
        vouched=vouched,
        why=f"{why}, a map {shown} of {'class numbers' if kind == 'index' else kind}",
    )
