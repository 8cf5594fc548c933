"""NanoDet-Plus (strides 8 to 64) and NanoDet (8 to 32): [1, A, C+32]; BGR, mean and std of their own, stretched.

Source: RangiLyu/nanodet, config/nanodet-plus-m_416.yml (keep_ratio False, normalize) and tools/export_onnx.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.evidence.values import are_shares
from vigie_devkit.models.labels import COCO80
from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Signature

FEED = Feed("bgr", "stretch", mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
BINS = 8


def by_shape(signature: Signature) -> Iterator[Recognition]:
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
