"""Check a whole manifest's routes, as `./vigie hub lint` does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vigie_edgehub.errors import HubConfigRefusedError
from vigie_edgehub.manifest import EDGE_HUB, parse_manifest
from vigie_edgehub.ports import Json, JsonObject, ManifestRefusedError
from vigie_edgehub.routes.config import HubConfig, parse_edgehub_desired
from vigie_edgehub.routes.lint import RouteFinding, Severity, lint_config

_REMEDY = "correct it: edgeHub refuses the whole configuration"


def lint_manifest(
    content: Mapping[str, Json], *, outputs: Mapping[str, Collection[str]] | None = None
) -> list[RouteFinding]:
    """Everything worth saying. Routes are read one by one, so that one mistake does not hide the next.

    Args: outputs: what modules are known to send on, where it is known.
    """
    try:
        manifest = parse_manifest(content)
    except ManifestRefusedError as refusal:
        return [RouteFinding("manifest-refused", Severity.ERROR, "", 0, refusal.message, "correct the manifest")]
    desired = manifest.desired[EDGE_HUB]
    routes = desired.get("routes")
    if not isinstance(routes, dict) or isinstance(_read({**desired, "routes": {}}), RouteFinding):
        config = _read(desired)
        return [config] if isinstance(config, RouteFinding) else lint_config(config, manifest.modules, outputs=outputs)
    each = {name: _read({**desired, "routes": {name: route}}) for name, route in routes.items()}
    refused = [found for found in each.values() if isinstance(found, RouteFinding)]
    sound = {name: route for name, route in routes.items() if isinstance(each[name], HubConfig)}
    config = _read({**desired, "routes": sound})
    findings = [config] if isinstance(config, RouteFinding) else lint_config(config, manifest.modules, outputs=outputs)
    # What a refused route was meant to take is not known: an output may not be dead at all.
    return [*refused, *(finding for finding in findings if not (refused and finding.code == "dead-output"))]


def _read(desired: JsonObject) -> HubConfig | RouteFinding:
    try:
        return parse_edgehub_desired(desired)
    except HubConfigRefusedError as refusal:
        return RouteFinding("config-refused", Severity.ERROR, "", 0, str(refusal), _REMEDY)
