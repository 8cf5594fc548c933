"""Which version of a distribution is installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def version_of(distribution: str) -> str:
    """``unknown`` where it is not installed as a distribution."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def versions() -> dict[str, str]:
    """Of what every module stands on."""
    return {"vigie": version_of("vigie"), "python": platform.python_version()}
