"""The configuration type of each module, where the module is installed: schemas, lint and reference are made of it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def config_type(module: str) -> type[Any] | None:
    """``vigie_<module>.config.<Module>Config``; None where that module is not installed (the hub's image)."""
    package = f"vigie_{module}"
    if importlib.util.find_spec(package) is None:
        return None
    found: type[Any] = getattr(importlib.import_module(f"{package}.config"), f"{module.capitalize()}Config")
    return found
