"""Real inputs for tests: found by VIGIE_TEST_DATA only; a test without them skips and says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_input(name: str) -> Path:
    """Path of a real video, picture or model, or skip."""
    folder = os.environ.get("VIGIE_TEST_DATA")
    if not folder:
        pytest.skip(f"VIGIE_TEST_DATA is not set: {name} is not at hand")
    path = Path(folder).resolve() / name
    if not path.exists():
        pytest.fail(f"VIGIE_TEST_DATA is set but holds no {name}")
    return path
