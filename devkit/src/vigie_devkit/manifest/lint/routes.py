"""Routes: the hub's own parser and lint, and the names that Vigie's modules send on and listen to."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.contracts import names
from vigie_devkit.hub.lint import lint_manifest
from vigie_devkit.hub.routes.config import parse_edgehub_desired
from vigie_devkit.hub.routes.refusal import HubConfigRefusedError
from vigie_devkit.hub.routes.table import ModuleInput
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, Severity, error, warning

OUTPUTS = {
    names.CAMERA: (names.FRAMES, names.PREVIEW, names.STATUS),
    names.PREPROCESS: (names.TENSORS, names.CREDIT, names.STATUS),
    names.INFERENCE: (names.DETECTIONS, names.INPUT_SPEC, names.CREDIT, names.OVERLAY, names.STATUS),
    names.SYNC: (names.TELEMETRY, names.CREDIT, names.STATUS),
    names.VIEWER: (names.DEMAND, names.CREDIT),
}
INPUTS = {
    names.CAMERA: (names.CREDIT, names.DEMAND),
    names.PREPROCESS: (names.FRAMES, names.INPUT_SPEC, names.CREDIT, names.DEMAND),
    names.INFERENCE: (names.TENSORS, names.CREDIT, names.DEMAND),
    names.SYNC: (names.DETECTIONS, names.DEMAND),
    names.VIEWER: (names.FRAMES, names.DETECTIONS, names.STATUS),
}
_REFERENCES = {(names.PREPROCESS, names.FRAMES), (names.INFERENCE, names.TENSORS), (names.VIEWER, names.FRAMES)}
_ON_DEMAND = (names.PREVIEW, names.OVERLAY, names.STATUS)
_REFERENCES_TTL_S = 60


def route_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Grammar, dead ends, text behind INTO, conditions that are never true, as the hub's lint finds them."""
    # Nothing is sent to a viewer that nobody deployed: it would have to ask first.
    unasked = () if any(deployment.of_kind(names.VIEWER)) else _ON_DEMAND
    outputs = {
        module.name: tuple(name for name in OUTPUTS[module.kind] if name not in unasked) for module in deployment.ours
    }
    for found in lint_manifest(deployment.content, outputs=outputs):
        path = f"{EDGE_HUB}.routes.{found.route}" if found.route else EDGE_HUB
        place = f"column {found.column}: " if found.column else ""
        yield Finding(f"route-{found.code}", Severity(found.severity.value), path, place + found.message, found.remedy)


def endpoint_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Inputs that nobody reads, and references to pixels that wait longer than their pixels live."""
    try:
        config = parse_edgehub_desired(deployment.edge_hub)
    except HubConfigRefusedError:
        return  # said by route_rules
    for route in config.routes:
        if not isinstance(route.endpoint, ModuleInput) or route.endpoint.module not in deployment.modules:
            continue
        kind = deployment.modules[route.endpoint.module].kind
        path = f"{EDGE_HUB}.routes.{route.name}"
        if kind and route.endpoint.input not in INPUTS[kind]:
            yield error(
                "route-unknown-input",
                path,
                f"{route.endpoint.module!r} has no input {route.endpoint.input!r}: what comes is dropped",
                f"use one of {', '.join(INPUTS[kind])}",
            )
        ttl_s = route.ttl_s or config.ttl_s
        if (kind, route.endpoint.input) in _REFERENCES and not 0 < ttl_s <= _REFERENCES_TTL_S:
            yield warning(
                "route-stale-references",
                path,
                f"references to pixels may wait {ttl_s} s while the pixels live for seconds: after an outage the hub "
                "delivers what nobody can use, oldest first",
                "set timeToLiveSecs to 5",
            )
