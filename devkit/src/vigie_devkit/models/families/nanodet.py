"""NanoDet-Plus (strides 8 to 64) and NanoDet (8 to 32): [1, A, C+32]; BGR, mean and std of their own, stretched.

With outputs of their own per stride, [1, A, n] or [A, n], in any order: NanoDet's older exports
(``cls_pred_stride_8``, ``dis_pred_stride_8``, ..) and PicoDet's without its postprocess (scores, then sides; RGB with
ImageNet's mean and deviation). There the names or ``--input`` say which, because the shapes are the same.

Source: RangiLyu/nanodet, config/nanodet-plus-m_416.yml (keep_ratio False, normalize) and tools/export_onnx.py;
PaddlePaddle/PaddleDetection, configs/picodet and deploy/third_engine/demo_onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.labels import COCO80
from vigie_devkit.models.recognition import IMAGENET_RGB_STRETCH, Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEED = Feed("bgr", "stretch", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
BINS = 8


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    yield from _levels(signature)
    if len(signature.outputs) != 1 or signature.nhwc or len(signature.outputs[0].shape) != 3:
        return
    output = signature.outputs[0]
    classes = output.shape[2] - 4 * BINS
    if classes < 1 or signature.label_count not in {None, classes}:
        return
    for strides, offset in (((8, 16, 32, 64), 0.0), ((8, 16, 32), 0.5)):
        # On three strides every YOLOX looks like this too: only named classes or COCO's 80 make a NanoDet of it.
        values = signature.probe.get(output.name)
        if values is not None and not are_shares(values[0, :, :classes]):
            continue  # not activated, or not scores: another family's columns
        sure = len(strides) == 4 or signature.label_count == classes or classes == len(COCO80)
        if output.shape[1] == signature.anchors(strides) and sure:
            yield Recognition(
                family="nanodet",
                decoder="nanodet",
                params={"strides": list(strides), "bins": BINS, "offset": offset},
                feed=FEED,
                outputs=(output.name,),
                class_count=classes,
                score_min=0.35,
                iou_max=0.6,
                why=f"one output [1,{output.shape[1]},{classes}+4x{BINS}] over {len(strides)} strides",
            )


def _levels(signature: Signature) -> Iterator[Recognition | Doubt]:
    """Scores and sides of each stride in outputs of their own."""
    for strides in ((8, 16, 32, 64), (8, 16, 32)):
        if len(signature.outputs) != 2 * len(strides) or signature.nhwc:
            continue
        counts = [signature.anchors((stride,)) for stride in strides]
        sides = [_port(signature, count, lambda width: width == 4 * BINS) for count in counts]
        scores = [_port(signature, count, lambda width: width != 4 * BINS) for count in counts]
        ports = [port for port in (*scores, *sides) if port is not None]
        classes = ports[0].shape[-1] if ports else 0
        if len(ports) != 2 * len(strides) or any(port.shape[-1] != classes for port in ports[: len(strides)]):
            continue
        if len({len(port.shape) for port in ports}) != 1:
            continue
        what = f"per stride scores [A,{classes}] and sides [A,{4 * BINS}]"
        probed = [signature.probe[port.name] for port in ports[: len(strides)] if port.name in signature.probe]
        if not all(are_shares(values) for values in probed):
            yield Doubt(
                "nanodet", f"{what} look like NanoDet's or PicoDet's, but the scores are not in 0..1; pass --card"
            )
            return
        if signature.label_count not in {None, classes}:
            yield Doubt("nanodet", f"{what}, {signature.label_count} names were passed; pass {classes} with --labels")
            return
        named = any("stride" in port.name for port in ports)
        yield Recognition(
            family="nanodet",
            decoder="nanodet",
            params={"strides": list(strides), "bins": BINS, "offset": 0.5},
            feed=FEED if named else IMAGENET_RGB_STRETCH,
            other_feeds=() if named else (FEED,),
            outputs=tuple(port.name for port in ports),
            class_count=classes,
            score_min=0.35,
            iou_max=0.6,
            why=f"{what}{', named as NanoDet does' if named else ''}",
        )
        return


def _port(signature: Signature, rows: int, fits: Callable[[int], bool]) -> Port | None:
    found = [
        port
        for port in signature.outputs
        if len(port.shape) in {2, 3} and port.shape[:-1] in {(rows,), (1, rows)} and fits(port.shape[-1])
    ]
    return found[0] if len(found) == 1 else None
