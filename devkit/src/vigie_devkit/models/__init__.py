"""Import: from an ONNX export to a bundle. Uses ``onnx``, which never goes into an image."""

from __future__ import annotations

from vigie_devkit.models.importer import import_model

__all__ = ["import_model"]
