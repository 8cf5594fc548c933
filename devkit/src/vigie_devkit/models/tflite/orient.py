"""Rows and boxes as ONNX exports have them: converters turn the last two axes, and divide boxes by the input's sides.

Decided by what a run gives, never by custom: where the values do not say it, the output stays as it is.

Source: ultralytics/ultralytics, engine/exporter.py (``tflite`` divides boxes by the sides); PINTO0309/onnx2tf.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vigie.vision.detections import strided_grid
from vigie_devkit.models.evidence.values import are_shares, grid_format

_GRIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (32, 16, 8))
_PER_CELL = (1, 3)
_BOXES = ("cxcywh", "cxcywh_share")


def orient(
    model: onnx.ModelProto, answer: NDArray[Any], size_hw: tuple[int, int], classes: int | None
) -> tuple[str, ...]:
    """Change the one output of a dense head in place; what was done, in words.

    Args: answer: of a run on a picture. classes: how many have names, ``None`` where nobody says.
    """
    if len(model.graph.output) != 1 or answer.ndim != 3 or answer.shape[0] != 1:
        return ()
    steps: list[str] = []
    rows = answer[0]
    cells = _grid(rows.shape[0], size_hw)
    if cells is not None and classes is not None and rows.shape[1] == 4 + classes:
        written = grid_format(rows[:, :4], size_hw, cells[0], per_cell=cells[1])
        if cells[1] == 1 and written in _BOXES and are_shares(rows[:, 4:]):
            _append(model, "Transpose", perm=[0, 2, 1])
            rows = rows.T
            steps.append("rows and columns turned")
    for turned in (False, True):
        boxes = rows[:4].T if turned else rows[:, :4]
        cells = _grid(len(boxes), size_hw)
        if cells is None or boxes.shape[1] != 4:
            continue
        if grid_format(boxes, size_hw, cells[0], per_cell=cells[1]) == "cxcywh_share":
            sides = np.ones(rows.shape[0] if turned else rows.shape[1], np.float32)
            sides[:4] = [size_hw[1], size_hw[0]] * 2
            _append(model, "Mul", sides.reshape((1, -1, 1) if turned else (1, 1, -1)))
            steps.append("boxes multiplied by the input's sides")
            break
    return tuple(steps)


def _grid(count: int, size_hw: tuple[int, int]) -> tuple[tuple[int, ...], int] | None:
    """Strides and anchors of each cell under which a head has so many rows."""
    for strides in _GRIDS:
        cells = sum(len(strided_grid(size_hw, (stride,))[0]) for stride in strides)
        for per_cell in _PER_CELL:
            if count == cells * per_cell:
                return strides, per_cell
    return None


def _append(model: onnx.ModelProto, operator: str, constant: NDArray[Any] | None = None, **attributes: Any) -> None:
    """One more node at the end, under the output's own name."""
    output = model.graph.output[0]
    before = f"{output.name}/before_{operator.lower()}"
    for node in model.graph.node:
        for names in (node.input, node.output):
            for at, name in enumerate(names):
                if name == output.name:
                    names[at] = before
    inputs = [before]
    if constant is not None:
        inputs.append(f"{before}/by")
        model.graph.initializer.append(numpy_helper.from_array(constant, inputs[1]))
    model.graph.node.append(
        helper.make_node(operator, inputs, [output.name], name=f"orient_{operator.lower()}", **attributes)
    )
    if operator == "Transpose":
        dims = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
        shape = [dims[0], dims[2], dims[1]]
        output.CopyFrom(helper.make_tensor_value_info(output.name, output.type.tensor_type.elem_type, shape))
