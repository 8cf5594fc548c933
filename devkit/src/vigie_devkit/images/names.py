"""Image references: what module.json and a manifest say, with the registry and tag of this command."""

from __future__ import annotations

import json
import re

from vigie_devkit.images.catalogue import HUB, Image, version
from vigie_devkit.images.errors import BadReferenceError
from vigie_devkit.local.paths import CHECKOUT

_REGISTRY = "${CONTAINER_REGISTRY_SERVER}"
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_REGISTRY_FORM = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9._/-]*[a-z0-9])?")


def reference(image: Image, key: str = "", *, registry: str = "", tag: str = "") -> str:
    """``[registry/]vigie-camera:0.1.0-amd64``, as iotedgedev writes it.

    Args: key: the hardware key that a manifest is rendered for, when it is not the one the image is built for;
    tag: instead of the version in module.json.
    Raises: BadReferenceError: a registry or tag that no engine takes.
    """
    if registry and _REGISTRY_FORM.fullmatch(registry) is None:
        raise BadReferenceError("registry", registry, "lower case host[:port][/path], such as myregistry.azurecr.io")
    if tag and _TAG.fullmatch(tag) is None:
        raise BadReferenceError("tag", tag, "letters, digits, '.', '-' and '_', at most 100")
    repository, stated = _stated(image)
    repository = repository.replace(_REGISTRY, registry).lstrip("/").lower()
    return f"{repository}:{tag or stated}-{key or image.key}"


def _stated(image: Image) -> tuple[str, str]:
    if image.name == HUB:  # no module of a manifest
        return f"{_REGISTRY}/{image.repository}", version()
    content = json.loads((CHECKOUT / image.folder / "module.json").read_text(encoding="utf-8"))
    return content["image"]["repository"], content["image"]["tag"]["version"]
