"""Which runtime packages are installed, by their metadata: nothing is imported."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vigie.runtimes.hardware.report import Installed
from vigie.runtimes.providers import TABLE


@cache
def installed_packages() -> tuple[Installed, ...]:
    """Those of the provider table that are here, with where their plugin library lies."""
    plugins = {package.name: row.plugin_module for row in TABLE.values() for package in row.packages}
    found = []
    for name, module in plugins.items():
        try:
            found.append(Installed(name, version(name), _plugin(module)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _plugin(module: str) -> str:
    spec = importlib.util.find_spec(module) if module else None
    if spec is None or spec.origin is None:
        return ""
    libraries = sorted(Path(spec.origin).parent.glob("**/*onnxruntime_providers*.so*"))
    return str(libraries[0]) if libraries else ""
