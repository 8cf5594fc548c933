"""Renders deployment.template.json for this machine: the one source of routes and desired properties."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.manifest.placeholders import expand

TEMPLATE = CHECKOUT / "deployment.template.json"


def render(template: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Fill the ``${NAME}`` placeholders of the manifest; those of a camera's source are the camera module's own.

    Args: values: by name; ``MODULES.<module>`` may be left out, images play no part in a local run.
    Raises: UsageError: a placeholder without a value, or no JSON afterwards.
    """

    def fill(name: str, _path: str) -> str:
        if name in values:
            return values[name]
        if name.startswith("MODULES."):
            return f"vigie-{name.removeprefix('MODULES.')}:{version('vigie-devkit')}"
        raise UsageError(f"{TEMPLATE.name} needs a value for ${{{name}}}; set it in the environment")

    try:
        content = json.loads(template)
    except ValueError as error:
        raise UsageError(f"{TEMPLATE.name} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{TEMPLATE.name} holds no JSON object")
    filled: dict[str, Any] = expand(content, fill)
    return filled


def modules_of(content: Mapping[str, Any]) -> list[str]:
    """Names of the modules that the manifest deploys, in its order."""
    return list(content["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"])


def override(content: dict[str, Any], module: str, desired: Mapping[str, Any]) -> None:
    """Merge ``desired`` into the module's desired properties: objects are merged, all else replaced."""
    properties = content["modulesContent"].setdefault(module, {}).setdefault("properties.desired", {})
    _merge(properties, desired)


def leave_out(content: dict[str, Any], module: str) -> None:
    """Take an optional module out of the manifest, with every route from it and to it."""
    parts = content["modulesContent"]
    parts["$edgeAgent"]["properties.desired"]["modules"].pop(module, None)
    parts.pop(module, None)
    hub = parts["$edgeHub"]["properties.desired"]
    named = (f"/modules/{module}/", f'"/modules/{module}"')
    hub["routes"] = {
        name: route
        for name, route in hub["routes"].items()
        if not any(one in (route["route"] if isinstance(route, dict) else route) for one in named)
    }


def _merge(into: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        present = into.get(key)
        if isinstance(value, Mapping) and isinstance(present, dict):
            _merge(present, value)
        else:
            into[key] = value


def local_manifest(
    environ: Mapping[str, str],
    cameras: Mapping[str, Mapping[str, Any]],
    bundle: Path,
    *,
    score: float | None = None,
    upstream: str | None = None,
    releases: Mapping[str, Any] | None = None,
    template: Path = TEMPLATE,
) -> dict[str, Any]:
    """The manifest of a local run: the template with these cameras and this model.

    Args: score, upstream: None: what the model's card says, what sync does by default. releases: further models.
    """
    content = render(template.read_text(encoding="utf-8"), environ)
    override(content, "camera", {"cameras": dict(cameras)})
    override(content, "inference", {"model": {"path": str(bundle)}})
    if releases:
        override(content, "inference", {"models": dict(releases)})
    if score is not None:
        override(content, "inference", {"score": score})
    if upstream is not None:
        override(content, "sync", {"upstream": upstream})
    return content


def flow_order(content: Mapping[str, Any], flow: Sequence[str]) -> list[str]:
    """The manifest's modules in the order of the flow, strangers last."""
    modules = modules_of(content)
    return [*(name for name in flow if name in modules), *(name for name in modules if name not in flow)]
