"""YOLOX: [1, A, 5+C] with A the grid cells at strides 8, 16, 32; BGR 0..255, top-left letterbox, pad 114.

Source: Megvii-BaseDetection/YOLOX, demo/ONNXRuntime/onnx_inference.py and yolox/data/data_augment.py ``preproc``.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Signature

FEED = Feed("bgr", "top_left")


def by_shape(signature: Signature) -> Iterator[Recognition]:
    if len(signature.outputs) != 1 or signature.nhwc:
        return
    output = signature.outputs[0]
    if len(output.shape) != 3 or output.shape[1] != signature.anchors() or output.shape[2] < 6:
        return
    yield Recognition(
        family="yolox",
        decoder="yolox",
        feed=FEED,
        outputs=(output.name,),
        class_count=output.shape[2] - 5,
        why=f"one output [1,{output.shape[1]},5+{output.shape[2] - 5}] over strides 8, 16, 32",
    )
