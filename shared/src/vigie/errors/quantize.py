"""Errors of calibration, quantization and datasets."""

from __future__ import annotations

from vigie.errors.base import AboutError, PermanentError
from vigie.errors.models import ModelError


class DatasetError(AboutError, PermanentError):
    """A folder of pictures with truth that cannot be read. ``subject``: folder or file."""


class CalibrationError(AboutError, PermanentError):
    """Pictures that ranges cannot be taken from, or accuracy not be judged on."""

    text = "calibration source '{subject}': {reason}"


class QuantizationError(AboutError, ModelError):
    """A graph that cannot be quantized as asked, or encodings that do not fit it."""

    text = "quantization of '{subject}': {reason}"
