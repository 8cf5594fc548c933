"""The operators that are read, by the schema's names: each a function of the graph in the making and the operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vigie_devkit.models.tflite.flatbuffer import Operator
from vigie_devkit.models.tflite.graph import Graph
from vigie_devkit.models.tflite.operators import arithmetic, convolution, joining, pooling, reducing, resizing, shaping

Convert = Callable[[Graph, Operator], None]
OPERATORS: Mapping[str, Convert] = {
    **arithmetic.OPERATORS,
    **convolution.OPERATORS,
    **joining.OPERATORS,
    **pooling.OPERATORS,
    **reducing.OPERATORS,
    **resizing.OPERATORS,
    **shaping.OPERATORS,
}
