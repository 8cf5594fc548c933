"""The seam between a module and whatever runs its model."""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vigie.models.bundle import Bundle, Variant

CPU = "CPUExecutionProvider"


class Engine(Protocol):
    """A loaded variant. Used by one thread at a time.

    ``provider``: the execution provider that was asked for and is in force. ``threads``: of one run.
    ``input_shape``: (1, H, W, 3), uint8 BGR.
    """

    provider: str
    variant: str
    threads: int
    input_shape: tuple[int, int, int, int]

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Outputs of one run in graph order. They are the engine's own buffers: valid until the next ``run``.

        Args: tensor_hwc: (H, W, 3) uint8, read during the call only.
        Raises: ImageShapeError: another shape or dtype. EngineError: the runtime failed.
        """

    def placement(self) -> dict[str, int]:
        """Graph nodes per execution provider; empty where the runtime does not tell."""

    def close(self) -> None:
        """Free the model; ``run`` must not be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_engine(
    bundle: Bundle, variant: str | None = None, *, threads: int | None = None, provider: str = CPU
) -> Engine:
    """Load a variant of a verified bundle.

    Args: variant: its name; ``None`` = the card's first. threads: ``None`` = what affinity and CPU quota allow.
        provider: an ONNX Runtime execution provider's full name; it runs or an error says why, nothing falls back.
    Raises: BundleError: no such variant. ProviderError: the provider is not available here.
        EngineError: the runtime refuses the file, or it does not have the input that the card promises.
    """
    from vigie.runtimes.onnxruntime_engine import OnnxRuntimeEngine

    chosen: Variant = bundle.variant(variant)
    return OnnxRuntimeEngine.open(bundle.card, chosen, threads=threads, provider=provider)
