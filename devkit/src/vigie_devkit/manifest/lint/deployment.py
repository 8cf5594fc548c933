"""A manifest as the rules see it: taken apart once, with the path of every part, and what could not be taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from vigie.contracts.names import MODULES
from vigie_devkit.manifest.content import HostOptions, create_options, edge_modules, host_options, modules_content
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.lint.finding import Finding, error
from vigie_edgehub.errors import HubConfigRefusedError
from vigie_edgehub.routes.config import HubConfig, parse_edgehub_desired

AGENT = "$.modulesContent.$edgeAgent.properties.desired"
EDGE_HUB = "$.modulesContent.$edgeHub.properties.desired"
_OURS = re.compile(rf"(?:^|/)vigie-({'|'.join(MODULES)})(?=[:@]|$)|\$\{{MODULES\.({'|'.join(MODULES)})(?:\.[^}}]*)?\}}")


@dataclass(frozen=True)
class Assumptions:
    """What a manifest does not say and the arithmetic needs. ``disk_bytes`` None: not known, said as a number only."""

    frame_wh: tuple[int, int] = (1920, 1080)
    input_wh: tuple[int, int] = (640, 640)
    fps: float = 30.0
    detections: int = 5
    disk_bytes: int | None = None
    modules: Path | None = None  # folder with the module.json files; None: placeholders of modules are not looked up
    own_modules: Path | None = None  # the same of Vigie's own checkout, for what its images are built for
    today: date | None = None  # None: the day on which the dates of releases were last looked up
    # Desired properties that a device has, by module.
    twins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Module:
    """One container. ``kind``: which of Vigie's modules its image is, "" for anything else."""

    name: str
    path: str
    kind: str
    entry: Mapping[str, Any]
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    host: HostOptions
    desired: Mapping[str, Any]

    @property
    def options_path(self) -> str:
        return f"{self.path}.settings.createOptions"

    @property
    def host_path(self) -> str:
        return f"{self.options_path}.HostConfig"

    @property
    def desired_path(self) -> str:
        return f"$.modulesContent.{self.name}.properties.desired"

    def environment(self, name: str, default: str) -> str:
        """A variable of the container, as the manifest's ``env`` or createOptions set it."""
        entry = self.entry.get("env", {}).get(name)
        return str(entry["value"] if entry else self.host.environment.get(name, default))


@dataclass(frozen=True)
class Deployment:
    """``is_template``: placeholders may stand in it, createOptions are objects."""

    content: Mapping[str, Any]
    is_template: bool
    modules: dict[str, Module]
    agent: Mapping[str, Any]
    edge_hub: Mapping[str, Any]
    broken: list[Finding] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Module]:
        return [module for module in self.modules.values() if module.kind == kind]

    @property
    def ours(self) -> list[Module]:
        return [module for module in self.modules.values() if module.kind]

    @property
    def runtime_settings(self) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = self.agent.get("runtime", {}).get("settings", {})
        return settings

    @property
    def hub_config(self) -> HubConfig | None:
        """None: the hub would refuse it, which the rules of routes report, or a route is still a variable."""
        try:
            return parse_edgehub_desired(self.edge_hub)
        except HubConfigRefusedError:
            return None


def take_apart(content: Mapping[str, Any], twins: Mapping[str, Mapping[str, Any]] | None = None) -> Deployment:
    """Args: twins: desired properties by module that stand in for those that the manifest does not set.

    Raises: ManifestError: it has no modules at all, so that there is nothing to check.
    """
    parts = modules_content(content)
    modules, broken = {}, []
    for name, entry in edge_modules(content).items():
        path = f"{AGENT}.modules.{name}"
        settings = entry.get("settings", {})
        try:
            options = create_options(path, settings)
            host = host_options(name, entry)
        except ManifestError as refusal:
            broken.append(error("options-malformed", refusal.where, refusal.what, refusal.remedy))
            options, host = {}, HostOptions({}, [])
        desired = _desired(parts, name) or (twins or {}).get(name, {})
        # With an entry point of its own it runs something else that its image holds.
        kind = "" if options.get("Entrypoint") else kind_of(settings.get("image", ""))
        modules[name] = Module(name, path, kind, entry, settings, options, host, desired)
    is_template = "$schema-template" in content or any(
        isinstance(one.settings.get("createOptions"), dict) for one in modules.values()
    )
    return Deployment(content, is_template, modules, _desired(parts, "$edgeAgent"), _desired(parts, "$edgeHub"), broken)


def kind_of(image: object) -> str:
    """Which of Vigie's modules ``image`` is, placeholder or name."""
    match = _OURS.search(image) if isinstance(image, str) else None
    return (match[1] or match[2]) if match else ""


def _desired(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = parts.get(name)
    desired = section.get("properties.desired") if isinstance(section, dict) else None
    return desired if isinstance(desired, dict) else {}
