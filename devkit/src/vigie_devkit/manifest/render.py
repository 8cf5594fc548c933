"""Template to manifest: images, values, hardware, createOptions in pieces; the whole one or one layer of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from vigie_devkit.manifest.content import create_options, edge_modules, modules_content
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.hardware import Hardware, add_hardware
from vigie_devkit.manifest.images import REGISTRY, ModuleFile, image_name
from vigie_devkit.manifest.placeholders import MODULES, expand, from_values

PIECE_CHARACTERS = 512
PIECES = 8
USERNAME = "CONTAINER_REGISTRY_USERNAME"
PASSWORD = "CONTAINER_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable


class RenderTarget(msgspec.Struct, frozen=True):
    """For what a template is rendered. ``tag`` None: each module's own version."""

    platform: str
    files: dict[str, ModuleFile]
    values: dict[str, str]
    tag: str | None = None
    hardware: Hardware | None = None


def render(template: Mapping[str, Any], target: RenderTarget) -> dict[str, Any]:
    """The deployment manifest, ready for `az iot edge set-modules`.

    Raises: ManifestError: a placeholder without a value, an unknown module or platform, createOptions too long.
    """
    content = copy.deepcopy({key: value for key, value in template.items() if key != "$schema-template"})
    modules = edge_modules(content)
    for name, extra in (target.hardware.modules if target.hardware else {}).items():
        if name in modules:
            settings = modules[name].setdefault("settings", {})
            settings["createOptions"] = add_hardware(create_options(f"module {name}", settings), extra)
    from_value = from_values(target.values)

    def fill(name: str, path: str) -> str:
        return _image(name, path, target) if name.startswith(MODULES) else from_value(name, path)

    filled: dict[str, Any] = expand(content, fill)
    agent = modules_content(filled)["$edgeAgent"]["properties.desired"]
    for group in ("systemModules", "modules"):
        for name, module in agent.get(group, {}).items():
            settings = module.get("settings", {})
            module["settings"] = {
                **{key: value for key, value in settings.items() if not key.lower().startswith("createoptions")},
                **split_options(name, create_options(f"module {name}", settings)),
            }
    _add_credentials(agent, target.values)
    return filled


def layer(manifest: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """A layered deployment that replaces the named modules of a rendered manifest and leaves all else to lower layers.

    Raises: ManifestError: a module that the manifest does not have.
    """
    modules = edge_modules(manifest)
    for name in names:
        if name not in modules:
            raise ManifestError("--layer", f"there is no module {name!r}", f"use one of {', '.join(modules)}")
    return {
        "content": {
            "modulesContent": {
                "$edgeAgent": {f"properties.desired.modules.{name}": modules[name] for name in names},
            }
        }
    }


def split_options(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """CreateOptions as a twin takes them: compact JSON in pieces of 512 characters, `createOptions01` and so on.

    Raises: ManifestError: more than eight pieces.
    """
    text = json.dumps(options, separators=(",", ":"))
    pieces = [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]
    if len(pieces) > PIECES:
        raise ManifestError(
            f"module {name}",
            f"createOptions take {len(text)} characters, edgeAgent reads {PIECES * PIECE_CHARACTERS}",
            "shorten them",
        )
    return {f"createOptions{number:02d}" if number else "createOptions": piece for number, piece in enumerate(pieces)}


def _image(name: str, path: str, target: RenderTarget) -> str:
    module, _, platform = name.removeprefix(MODULES).partition(".")
    if module not in target.files:
        known = ", ".join(target.files)
        raise ManifestError(path, f"${{{name}}}: there is no modules/{module}/module.json", f"known are {known}")
    return image_name(target.files[module], platform or target.platform, target.values, tag=target.tag)


def _add_credentials(agent: dict[str, Any], values: Mapping[str, str]) -> None:
    """As iotedgedev's variables name them; a registry that wants none gets none."""
    registry = values.get(REGISTRY, "")
    if not (registry and values.get(USERNAME) and values.get(PASSWORD)):
        return
    address = registry.partition("/")[0]
    credentials = agent["runtime"]["settings"].setdefault("registryCredentials", {})
    credentials[address.partition(".")[0].replace(":", "-")] = {
        "address": address,
        "username": values[USERNAME],
        "password": values[PASSWORD],
    }
