from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mean_hub import MeanHub, mean_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MeanHub]:
    """A running hub; the process's environment is that of module ``a``, whose output ``o`` feeds its input ``i``."""
    with mean_hub(tmp_path, {("a", "o"): ("a", "i")}) as running:
        for variable, value in running.environment("a").items():
            monkeypatch.setenv(variable, value)
        yield running
