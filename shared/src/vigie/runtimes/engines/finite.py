"""Are the outputs of a run numbers? Asked of every frame, so it costs one pass over each output and nothing more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from vigie.errors import EngineOutputError
from vigie.runtimes.engines.engine import Engine


def require_finite(engine: Engine, outputs: Sequence[NDArray[Any]]) -> None:
    """Raises: EngineOutputError: an output holds NaN or plus infinity."""
    for index, output in enumerate(outputs):
        # NumPy's maximum hands NaN on, and is four times as quick as a sum (4 us for 48,000 numbers). Minus infinity
        # passes: masked logits are that on purpose.
        if output.dtype.kind == "f" and output.size and not math.isfinite(float(output.max())):
            raise EngineOutputError(f"{engine.candidate.variant} on {engine.provider}", index)
