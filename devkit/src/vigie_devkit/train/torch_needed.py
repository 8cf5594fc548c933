"""PyTorch: an optional package of a gigabyte, asked for by training alone."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from vigie_devkit.local.errors import Exit, LocalError
from vigie_devkit.local.paths import CHECKOUT

# Also the extra [train] of devkit/pyproject.toml; a test keeps them equal.
REQUIREMENT = "torch==2.13.0"


class TorchMissingError(LocalError):
    """There is no PyTorch in the environment that runs this."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self, python: Path) -> None:
        shown = python.relative_to(CHECKOUT) if python.is_relative_to(CHECKOUT) else python
        super().__init__(
            f"training needs PyTorch, which is not installed; run: {shown} -m pip install {REQUIREMENT} "
            "(a CPU build is enough)"
        )


def require_torch(threads: int | None = None) -> None:
    """Make sure that PyTorch can be imported, and let it compute with so many threads.

    Raises: TorchMissingError.
    """
    if find_spec("torch") is None:
        raise TorchMissingError(Path(sys.executable))
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
