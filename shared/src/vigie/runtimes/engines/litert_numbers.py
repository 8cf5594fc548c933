"""What a .tflite file computes in, read of its tensors. Pure: LiteRT's lists in, facts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np

Activations = Literal["float", "s8", "u8", "s16"]
Weights = Literal["float", "s8", "u8"]
_ACTIVATIONS: dict[Any, Activations] = {np.int8: "s8", np.uint8: "u8", np.int16: "s16"}
_WEIGHTS: dict[Any, Weights] = {np.int8: "s8", np.uint8: "u8"}


class NumberTypes(msgspec.Struct, frozen=True):
    """``integer_activations``: quantized tensors that are computed; ``half_weights``: constants in float16.

    ``activations``, ``weights``: what most quantized tensors of the kind are in, ``float`` where none is.
    ``symmetric``: all activations store zero as 0; ``per_channel``: some weights have a scale per channel; ``None``
    where nothing is quantized.
    """

    integer_activations: int
    half_weights: int
    activations: Activations
    weights: Weights
    symmetric: bool | None
    per_channel: bool | None


def number_types_of(
    tensors: Iterable[dict[str, Any]], operators: Sequence[dict[str, Any]], inputs: Iterable[int]
) -> NumberTypes:
    """Of LiteRT's list of tensors (``index``, ``dtype``, ``quantization_parameters``) and of operators.

    A tensor is quantized if it has a scale: bytes without one are indexes or truth values. What no operator writes and
    nobody feeds is a constant.
    """
    written = {int(tensor) for one in operators for tensor in one["outputs"]}
    fed = set(inputs)
    activations, weights = Counter[Activations](), Counter[Weights]()
    integer = half = 0
    symmetric = per_channel = None
    for one in tensors:
        index, kind = int(one["index"]), np.dtype(one["dtype"]).type
        scales = np.asarray(one["quantization_parameters"]["scales"])
        zeros = np.asarray(one["quantization_parameters"]["zero_points"])
        constant = index not in written and index not in fed
        half += kind is np.float16 and constant
        if not scales.size:
            continue
        if not constant and kind in _ACTIVATIONS:
            activations[_ACTIVATIONS[kind]] += 1
            integer += index in written
            symmetric = symmetric is not False and not zeros.any()
        elif constant and kind in _WEIGHTS:
            weights[_WEIGHTS[kind]] += 1
            per_channel = bool(per_channel) or scales.size > 1
    return NumberTypes(
        integer_activations=integer,
        half_weights=half,
        activations=activations.most_common(1)[0][0] if activations else "float",
        weights=weights.most_common(1)[0][0] if weights else "float",
        symmetric=symmetric,
        per_channel=per_channel,
    )
