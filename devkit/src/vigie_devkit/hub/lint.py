"""Check a whole manifest's routes, as `./vigie hub lint` does."""

from __future__ import annotations

from collections.abc import Mapping

from vigie.errors import HubConfigRefusedError
from vigie_devkit.hub.manifest import EDGE_HUB, parse_manifest
from vigie_devkit.hub.ports import Json, ManifestRefusedError
from vigie_devkit.hub.routes.config import parse_edgehub_desired
from vigie_devkit.hub.routes.lint import Finding, Severity, lint_config


def lint_manifest(content: Mapping[str, Json]) -> list[Finding]:
    """Everything worth saying; what edgeHub would refuse outright is the only finding then."""
    try:
        manifest = parse_manifest(content)
        config = parse_edgehub_desired(manifest.desired[EDGE_HUB])
    except ManifestRefusedError as refusal:
        return [Finding("manifest-refused", Severity.ERROR, "", 0, refusal.message, "correct the manifest")]
    except HubConfigRefusedError as refusal:
        remedy = "correct it: edgeHub refuses the whole configuration"
        return [Finding("config-refused", Severity.ERROR, "", 0, str(refusal), remedy)]
    return lint_config(config, manifest.modules)
