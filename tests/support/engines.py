"""Engines that may not be installed: a test that needs one skips with a reason that CI does not allow."""

from __future__ import annotations

import importlib.util
import platform

import pytest

_PACKAGES = {"openvino": "openvino", "qnn": "onnxruntime_qnn"}


def needs(engine: str) -> pytest.MarkDecorator:
    """``needs("qnn")``: ``./vigie test`` installs it where it has a wheel."""
    missing = importlib.util.find_spec(_PACKAGES[engine]) is None
    if engine == "qnn" and platform.machine() != "x86_64":
        return pytest.mark.skipif(True, reason="QNN's emulation runs on x86-64 only")
    return pytest.mark.skipif(missing, reason=f"{engine} is not installed (tests/engines-{engine}.lock)")
