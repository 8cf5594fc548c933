"""Engines by name: Vigie's own, and those that plug in from outside without a line in Vigie's tables.

A factory is ``(bundle, candidate, settings) -> Engine``. It is named ``module:function``, by the entry-point group
``vigie.engines`` of an installed package, or by the variable ``VIGIE_ENGINES`` (``name=module:function`` or
``name=/folder/file.py:function``, separated by commas), which wins.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from vigie.errors import ConfigRefusedError

VARIABLE = "VIGIE_ENGINES"
GROUP = "vigie.engines"
_OWN = {
    "onnxruntime": "vigie.runtimes.engines.onnxruntime_engine:open_onnxruntime",
    "openvino": "vigie.runtimes.engines.openvino_engine:open_openvino",
    "litert": "vigie.runtimes.engines.litert_engine:open_litert",
    "kserve": "vigie.runtimes.engines.remote.engine:open_kserve",
}

EngineFactory = Callable[..., Any]


def engine_factory(name: str) -> EngineFactory | None:
    """The factory of the engine ``name``; ``None`` if nobody provides one.

    Raises: ConfigRefusedError: it is named, and cannot be imported.
    """
    where = _OWN.get(name) or plugged_in(os.environ).get(name)
    if where is None:
        return None
    module, _, function = where.partition(":")
    try:
        loaded = _from_file(name, module) if module.endswith(".py") else importlib.import_module(module)
        return getattr(loaded, function)  # type: ignore[no-any-return]  # named, not imported
    except (ImportError, AttributeError, ValueError, OSError) as error:
        raise ConfigRefusedError(f"${VARIABLE}.{name}", f"cannot import {where!r}: {error}") from error


def _from_file(name: str, path: str) -> ModuleType:
    """An engine that a device brings as a file, where nothing may be installed."""
    spec = importlib.util.spec_from_file_location(f"vigie_engine_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plugged_in(environment: Mapping[str, str]) -> dict[str, str]:
    """``module:function`` by engine name, of those that are not Vigie's own.

    Raises: ConfigRefusedError: the variable is not ``name=module:function, ...``.
    """
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    for part in filter(None, (part.strip() for part in environment.get(VARIABLE, "").split(","))):
        name, equals, where = part.partition("=")
        if not (equals and name and ":" in where):
            raise ConfigRefusedError(f"${VARIABLE}", f"expected name=module:function, got {part!r}")
        found[name] = where
    return found
