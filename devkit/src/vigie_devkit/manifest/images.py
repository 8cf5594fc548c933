"""What each module's image is called: `module.json` read as iotedgedev reads it, so that all tools say one name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vigie_devkit.manifest.errors import ManifestError

REGISTRY = "CONTAINER_REGISTRY_SERVER"
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Tag(msgspec.Struct, frozen=True):
    """``platforms``: Dockerfile, relative to the module's folder, by platform key."""

    version: str
    platforms: dict[str, str]


class ModuleImage(msgspec.Struct, frozen=True):
    """``repository`` may hold ``${NAME}``."""

    repository: str
    tag: Tag


class ModuleFile(msgspec.Struct, frozen=True):
    """The members of a `module.json` that say where an image comes from and what it is called."""

    image: ModuleImage


def read_module_file(path: Path) -> ModuleFile:
    """Raises: ManifestError: no such file, or not as iotedgedev wants it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModuleFile)
    except OSError as error:
        raise ManifestError(str(path), f"cannot be read ({error.strerror})", "every module folder has one") from error
    except msgspec.DecodeError as error:
        raise ManifestError(
            str(path), f"is not a valid module.json: {error}", "compare it with another module's"
        ) from error


def module_files(modules: Path) -> dict[str, ModuleFile]:
    """Every ``modules/<name>/module.json`` by module name. Raises: ManifestError."""
    return {path.parent.name: read_module_file(path) for path in sorted(modules.glob("*/module.json"))}


def platforms(files: Mapping[str, ModuleFile]) -> list[str]:
    """Keys that every module knows, in the order of the first module."""
    known = [list(file.image.tag.platforms) for file in files.values()]
    return [key for key in known[0] if all(key in others for others in known)] if known else []


def image_name(file: ModuleFile, platform: str, values: Mapping[str, Any], *, tag: str | None = None) -> str:
    """``registry/repository:version-platform`` for ``platform``; an empty registry leaves no slash behind.

    Args: values: for ``${NAME}`` in the repository; ``tag`` takes the place of the file's version.
    Raises: ManifestError: a platform that the module has no Dockerfile for, a name without a value.
    """
    if platform not in file.image.tag.platforms:
        known = ", ".join(file.image.tag.platforms)
        raise ManifestError("module.json", f"platform {platform!r} is unknown", f"use one of {known}")

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ManifestError(
                "module.json", f"${{{match[1]}}} has no value", f"pass --registry, or {match[1]} in the environment"
            )
        return str(values[match[1]])

    repository = _PLACEHOLDER.sub(fill, file.image.repository).lstrip("/").lower()
    return f"{repository}:{tag or file.image.tag.version}-{platform}"
