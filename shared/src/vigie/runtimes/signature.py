"""What a card promises about a graph's inputs and outputs, against what the runtime found in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ImageShapeError
from vigie.models.card import Card

Port = tuple[str, str, tuple[int, ...]]  # name, number type, shape with -1 where the picture decides


def check_signature(card: Card, model: str, inputs: list[Port], outputs: list[Port]) -> None:
    """Raises: EngineError: other inputs or outputs than the card says."""
    wanted = [(card.input.name, "uint8", (1, card.input.height, card.input.width, 3))]
    if inputs != wanted:
        raise EngineError(model, f"expected the input {wanted[0]}, the file has {inputs}", "import it again")
    found = [(name, shape) for name, _, shape in outputs]
    promised = [(output.name, output.shape) for output in card.outputs]
    if found != promised:
        raise EngineError(model, f"expected the outputs {promised}, the file has {found}", "import it again")


def check_tensor(tensor_hwc: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raises: ImageShapeError: not ``shape`` uint8."""
    if tensor_hwc.shape != shape or tensor_hwc.dtype != np.uint8:
        expected, got = f"{shape} uint8", f"{tensor_hwc.shape} {tensor_hwc.dtype}"
        raise ImageShapeError("tensor", expected=expected, got=got)
