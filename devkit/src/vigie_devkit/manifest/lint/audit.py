"""Audit lines that are sent upstream need a route: without one the hub acknowledges and drops them."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.contracts import names
from vigie_devkit.manifest.doorbells import endpoints_of
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error

VARIABLE = "VIGIE_AUDIT_UPSTREAM"


def audit_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """``VIGIE_AUDIT_UPSTREAM`` against the routes."""
    if (config := deployment.hub_config) is None:
        return
    for module in deployment.ours:
        if module.environment(VARIABLE, "off").lower() != "on":
            continue
        if not endpoints_of(config.routes, module.name, names.AUDIT):
            yield error(
                "audit-nowhere",
                f"{module.path}.env.{VARIABLE}",
                f"no route takes what {module.name!r} sends from {names.AUDIT!r}: the hub would drop every line",
                f"add FROM /messages/modules/{module.name}/outputs/{names.AUDIT} INTO $upstream, as "
                "deploy/patches/audit-upstream.json does",
            )
