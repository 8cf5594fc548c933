"""A template or manifest taken apart: modules, what a container is created with, where its volumes come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.json_text import parse_json
from vigie_devkit.manifest.shapes import AgentProperties, CreateOptions, check_shape

_CREATE_OPTIONS = re.compile(r"createOptions(\d*)", re.IGNORECASE)


class Mount(msgspec.Struct, frozen=True):
    """A named volume of a module. ``driver_options`` as the local driver takes them (``type``, ``device``, ``o``)."""

    source: str
    target: str
    read_only: bool = False
    driver_options: dict[str, str] = {}


class HostOptions(msgspec.Struct, frozen=True):
    """``host``: HostConfig as written; ``environment``: what createOptions itself sets."""

    host: dict[str, Any]
    mounts: list[Mount]
    user: str = ""
    environment: dict[str, str] = {}


def modules_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """The members below ``modulesContent``, whatever wraps it. Raises: ManifestError."""
    inner: Any = content
    while isinstance(inner, Mapping) and "modulesContent" not in inner:
        inner = inner.get("content", inner.get("configuration"))
    found = inner.get("modulesContent") if isinstance(inner, Mapping) else None
    if not isinstance(found, dict):
        raise ManifestError("$", "there is no object 'modulesContent'", "pass a deployment template or manifest")
    return found


def edge_modules(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """``$edgeAgent``'s modules by name, in the manifest's order. Raises: ManifestError."""
    agent = modules_content(content).get("$edgeAgent")
    if isinstance(agent, dict) and any(key.startswith("properties.desired.") for key in agent):
        raise ManifestError(
            "$.modulesContent.$edgeAgent",
            "this is one layer of a deployment",
            "pass the whole manifest that it is part of",
        )
    desired = agent.get("properties.desired") if isinstance(agent, dict) else None
    if not isinstance(desired, dict) or not isinstance(desired.get("modules"), dict):
        raise ManifestError(
            "$.modulesContent.$edgeAgent",
            "properties.desired.modules is not an object of modules",
            "write one per module",
        )
    check_shape(desired, AgentProperties, "$.modulesContent.$edgeAgent.properties.desired")
    modules: dict[str, dict[str, Any]] = desired["modules"]
    return modules


def create_options(where: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The createOptions of a module: an object, or text in up to eight pieces, put together as edgeAgent does.

    Raises: ManifestError: the text is not a JSON object, or has other members than Docker's API.
    """
    whole = settings.get("createOptions", {})
    value: dict[str, Any] = whole if isinstance(whole, dict) else _put_together(where, settings)
    check_shape(value, CreateOptions, f"{where}.settings.createOptions")
    return value


def _put_together(where: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    numbered = {
        int(match[1] or 0): value for key, value in settings.items() if (match := _CREATE_OPTIONS.fullmatch(key))
    }
    pieces: list[str] = []
    # edgeAgent reads on while numbers follow one another; what stands behind a gap is ignored.
    while isinstance(piece := numbered.get(len(pieces)), str):
        pieces.append(piece)
    try:
        value = parse_json("".join(pieces) or "{}")
    except ValueError as error:
        raise ManifestError(f"{where}.settings.createOptions", f"is not valid JSON ({error})", "correct it") from error
    if not isinstance(value, dict):
        raise ManifestError(f"{where}.settings.createOptions", "is not a JSON object", 'write {"HostConfig": {...}}')
    return value


def host_options(name: str, module: Mapping[str, Any]) -> HostOptions:
    """What the container of ``module`` is created with. Raises: ManifestError: createOptions of another shape."""
    where = f"module {name}"
    options = create_options(where, module.get("settings", {}))
    host = options.get("HostConfig", {})
    mounts = [_mount(mount) for mount in host.get("Mounts", []) if mount["Type"] == "volume"]
    environment = dict(pair.partition("=")[::2] for pair in options.get("Env", []))
    return HostOptions(host, mounts, str(options.get("User", "")), environment)


def module_environment(module: Mapping[str, Any], options: HostOptions) -> dict[str, Any]:
    """The module's own variables; those of the manifest's ``env`` win over createOptions, as with edgeAgent."""
    given = {name: entry.get("value", "") for name, entry in module.get("env", {}).items()}
    return {**options.environment, **given}


def _mount(mount: Mapping[str, Any]) -> Mount:
    driver = mount.get("VolumeOptions", {}).get("DriverConfig", {})
    return Mount(mount.get("Source", ""), mount["Target"], bool(mount.get("ReadOnly")), dict(driver.get("Options", {})))
