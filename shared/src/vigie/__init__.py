"""Vigie: quantized computer vision on Azure IoT Edge.

``from vigie import open_model`` is the library's face (docs/library.md). It is loaded on first use, because modules
without a model carry neither NumPy nor a runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vigie.library import Found, Model, RuntimeFacts, Selection, open_model

__all__ = ["Found", "Model", "RuntimeFacts", "Selection", "open_model"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from vigie import library

        return getattr(library, name)
    raise AttributeError(f"module 'vigie' has no attribute {name!r}")
