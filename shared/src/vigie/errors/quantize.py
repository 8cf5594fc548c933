"""Errors of calibration, quantization and datasets."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError
from vigie.errors.models import ModelError


class DatasetError(PermanentError):
    """A folder of pictures with truth that cannot be read."""

    slug: ClassVar[str] = "dataset"

    def __init__(self, where: str, reason: str) -> None:
        """``where``: folder or file; ``reason``: what was expected and what was there."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class CalibrationError(PermanentError):
    """Pictures that ranges cannot be taken from, or accuracy not be judged on."""

    slug: ClassVar[str] = "calibration"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: as given; ``reason``: what was found and what to pass instead."""
        super().__init__(f"calibration source '{source}': {reason}")
        self.source = source
        self.reason = reason


class QuantizationError(ModelError):
    """A graph that cannot be quantized as asked, or encodings that do not fit it."""

    slug: ClassVar[str] = "quantization"

    def __init__(self, what: str, reason: str) -> None:
        """``what``: the variant or file; ``reason``: what stands in the way and what to do."""
        super().__init__(f"quantization of '{what}': {reason}")
        self.what = what
        self.reason = reason
