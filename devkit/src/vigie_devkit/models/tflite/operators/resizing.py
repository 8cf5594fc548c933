"""Pictures made larger or smaller.

Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h, resize_nearest_neighbor.h.
"""

from __future__ import annotations

import numpy as np

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import Graph


def _resize(graph: Graph, operator: Operator) -> None:
    source = operator.inputs[0]
    height_width = graph.needed(operator.inputs[1], operator, "size").reshape(-1)
    name = graph.planes(source)
    batch, _, _, channels = graph.shape(source)
    sizes = graph.hold(np.array([batch, channels, *height_width], np.int64))
    aligned = bool(operator.option("AlignCorners", default=False))
    centred = bool(operator.option("HalfPixelCenters", default=False))
    where = "align_corners" if aligned else "half_pixel" if centred else "asymmetric"
    if operator.name == "RESIZE_BILINEAR":
        name = graph.emit("Resize", [name, "", "", sizes], mode="linear", coordinate_transformation_mode=where)
    else:
        nearest = "floor" if where == "asymmetric" else "round_prefer_ceil"
        name = graph.emit(
            "Resize",
            [name, "", "", sizes],
            mode="nearest",
            coordinate_transformation_mode=where,
            nearest_mode=nearest,
        )
    graph.put(operator.outputs[0], name, planes=True)


OPERATORS = {"RESIZE_BILINEAR": _resize, "RESIZE_NEAREST_NEIGHBOR": _resize}
