"""What ``get_status`` answers, the same in every module."""

from __future__ import annotations

from typing import Any

import msgspec

from vigie.config.environment import ModuleEnvironment
from vigie.health import Health
from vigie.metrics import Metrics
from vigie.versions import versions


class StatusRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``verbose``: every metric and the versions too; without it what a person asks first."""

    verbose: bool = False


def status_of(
    env: ModuleEnvironment, health: Health, *, software: str, uptime_s: float, twin_version: int | None
) -> dict[str, Any]:
    """The short answer, as JSON holds it."""
    missing = health.missing()
    return {
        "module": env.module_id,
        "version": software,
        "boot": env.boot,
        "uptime_s": round(uptime_s, 1),
        "ready": not missing,
        "reasons": missing,
        "twin_version": twin_version,
    }


def verbose(metrics: Metrics) -> dict[str, Any]:
    """What comes on top if it is asked for."""
    return {"versions": versions(), "metrics": metrics.values()}
