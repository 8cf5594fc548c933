"""Events for modules of the device: sync makes and keeps them only for receivers that it is told of."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.contracts import names
from vigie_devkit.manifest.doorbells import endpoints_of
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error
from vigie_edgehub.routes.table import ModuleInput

RECEIVERS = "VIGIE_EVENT_RECEIVERS"


def has_receivers(module: Module) -> bool:
    """Whether this sync sends on its output ``events`` at all."""
    return bool(module.environment(RECEIVERS, "").split())


def receiver_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """A route that nothing comes by, and a receiver that nothing reaches: for it, events would pile up on the disk."""
    if (config := deployment.hub_config) is None:
        return
    for module in deployment.of_kind(names.SYNC):
        named = set(module.environment(RECEIVERS, "").replace(",", " ").split())
        path = f"{module.path}.env.{RECEIVERS}"
        ends = endpoints_of(config.routes, module.name, names.EVENTS)
        reached = {end.module for end in ends if isinstance(end, ModuleInput)}
        for name in sorted(reached - named):
            yield error(
                "receiver-not-named",
                path,
                f"a route takes events to {name!r}, and {module.name!r} sends none: it is not told of this receiver",
                f'write {{"value": "{" ".join(sorted({*named, name}))}"}}',
            )
        for name in sorted(named - reached):
            yield error(
                "receiver-not-reached",
                EDGE_HUB,
                f"{module.name!r} keeps events for {name!r} until it has them, and no route takes them there",
                f"route /messages/modules/{module.name}/outputs/{names.EVENTS} to it, or remove {name!r} at {path}",
            )
