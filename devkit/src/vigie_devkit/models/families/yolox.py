"""YOLOX: [1, A, 5+C] with A the grid cells at strides 8, 16, 32; BGR 0..255, top-left letterbox, pad 114.

Raw and decoded exports have the same shape; the probe run's values tell them apart: raw centres are small numbers
around 0.5 cells, decoded ones lie on the grid.

Source: Megvii-BaseDetection/YOLOX, demo/ONNXRuntime/onnx_inference.py and yolox/data/data_augment.py ``preproc``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vigie.vision.detections import strided_grid
from vigie_devkit.models.recognition import Doubt, Feed, Recognition
from vigie_devkit.models.signature import Port, Signature

FEED = Feed("bgr", "top_left")


def by_shape(signature: Signature) -> Iterator[Recognition | Doubt]:
    if len(signature.outputs) != 1 or signature.nhwc:
        return
    output = signature.outputs[0]
    if len(output.shape) != 3 or output.shape[1] != signature.anchors() or output.shape[2] < 6:
        return
    classes = output.shape[2] - 5
    if signature.label_count not in {None, classes}:
        return
    decoded = _decoded(signature, output)
    if decoded is None:
        yield Doubt(
            "yolox", "its centres are neither in cells nor on the grid; pass --card with decoder.params.decoded"
        )
        return
    yield Recognition(
        family="yolox",
        decoder="yolox",
        params={"decoded": True} if decoded else {},
        feed=FEED,
        outputs=(output.name,),
        class_count=classes,
        why=f"one output [1,{output.shape[1]},5+{classes}] over strides 8, 16, 32, "
        f"{'decoded' if decoded else 'raw'} centres",
    )


def _decoded(signature: Signature, output: Port) -> bool | None:
    rows = signature.probe.get(output.name)
    if rows is None:
        return False
    cells, strides = strided_grid(signature.input_hw, (8, 16, 32))
    centres = rows[0, :, :2].astype(np.float64)
    from_cell = np.abs(centres / strides - cells - 0.5)
    if np.median(from_cell) < 2.0:
        return True
    return False if np.median(np.abs(centres)) < 4.0 else None
