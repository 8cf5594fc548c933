"""Routes: the hub's own parser and lint, and the names that Vigie's modules send on and listen to."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from vigie.contracts import names
from vigie_devkit.manifest.content import modules_content
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning
from vigie_devkit.manifest.lint.receivers import has_receivers
from vigie_devkit.manifest.placeholders import is_variable
from vigie_edgehub.errors import HubConfigRefusedError
from vigie_edgehub.lint import lint_manifest
from vigie_edgehub.routes.config import parse_edgehub_desired
from vigie_edgehub.routes.table import ModuleInput

OUTPUTS = {
    names.CAMERA: (names.FRAMES, names.EVENTS, names.PREVIEW, names.STATUS),
    names.PREPROCESS: (names.TENSORS, names.CREDIT, names.STATUS),
    names.INFERENCE: (
        names.DETECTIONS,
        names.INPUT_SPEC,
        names.EVENTS,
        names.CREDIT,
        names.OVERLAY,
        names.TRIAL,
        names.STATUS,
        names.BLUR,
    ),
    names.SYNC: (names.TELEMETRY, names.EVENTS, names.CREDIT, names.STATUS, names.TIMELINE, names.KEEP),
    names.VIEWER: (names.DEMAND, names.CREDIT),
    names.ACTIONS: (names.STATUS,),
    names.EVIDENCE: (names.EVENTS, names.STATUS),
}
INPUTS = {
    names.CAMERA: (names.CREDIT, names.DEMAND, names.BLUR, names.KEEP),
    names.PREPROCESS: (names.FRAMES, names.INPUT_SPEC, names.CREDIT, names.DEMAND),
    names.INFERENCE: (names.TENSORS, names.CREDIT, names.DEMAND),
    names.SYNC: (names.DETECTIONS, names.EVENTS, names.DEMAND),
    names.VIEWER: (names.FRAMES, names.DETECTIONS, names.STATUS, names.EVENTS, names.TRIAL),
    names.ACTIONS: (names.EVENTS, names.DEMAND),
    names.EVIDENCE: (names.DEMAND,),
}
_REFERENCES = {(names.PREPROCESS, names.FRAMES), (names.INFERENCE, names.TENSORS), (names.VIEWER, names.FRAMES)}
_ON_DEMAND = (names.PREVIEW, names.OVERLAY, names.STATUS, names.TIMELINE, names.TRIAL)
_REFERENCES_TTL_S = 60


def route_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Grammar, dead ends, text behind INTO, conditions that are never true, as the hub's lint finds them."""
    # Nothing is sent to a viewer that nobody deployed: it would have to ask first.
    unasked = () if any(deployment.of_kind(names.VIEWER)) else _ON_DEMAND
    outputs = {
        module.name: tuple(
            name
            for name in OUTPUTS[module.kind]
            if name not in unasked
            and not (module.kind == names.SYNC and name == names.EVENTS and not has_receivers(module))
        )
        for module in deployment.ours
    }
    variables = _variables(deployment.edge_hub)
    for found in lint_manifest(_without(deployment.content, variables), outputs=outputs):
        if variables and found.code == "dead-output":
            continue  # what an unfilled route takes is not known
        path = f"{EDGE_HUB}.routes.{found.route}" if found.route else EDGE_HUB
        place = f"column {found.column}: " if found.column else ""
        yield Finding(f"route-{found.code}", found.severity, path, place + found.message, found.remedy)


def _variables(edge_hub: Mapping[str, Any]) -> list[str]:
    """Names of routes that are one unfilled variable: not a route yet, and so no syntax to speak of."""
    routes = edge_hub.get("routes")
    texts = {name: route.get("route") if isinstance(route, dict) else route for name, route in _items(routes)}
    return [name for name, text in texts.items() if isinstance(text, str) and is_variable(text)]


def _items(routes: object) -> list[tuple[str, Any]]:
    return list(routes.items()) if isinstance(routes, dict) else []


def _without(content: Mapping[str, Any], names: list[str]) -> Mapping[str, Any]:
    if not names:
        return content
    copied = copy.deepcopy(dict(content))
    routes = modules_content(copied)["$edgeHub"]["properties.desired"]["routes"]
    for name in names:
        del routes[name]
    return copied


def unfilled_routes(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    for name in _variables(deployment.edge_hub):
        if deployment.is_template:
            yield hint(
                "route-unfilled",
                f"{EDGE_HUB}.routes.{name}",
                "is a variable: what it takes is not known before it is filled",
                "check the rendered manifest too",
            )


def endpoint_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Inputs that nobody reads, and references to pixels that wait longer than their pixels live."""
    try:
        unfilled = _variables(deployment.edge_hub)
        known = {name: route for name, route in _items(deployment.edge_hub.get("routes")) if name not in unfilled}
        config = parse_edgehub_desired({**deployment.edge_hub, "routes": known})
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
