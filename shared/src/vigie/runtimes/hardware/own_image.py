"""Which of Vigie's images this process runs in: read from the image's own bill of materials."""

from __future__ import annotations

import re

import msgspec

from vigie.runtimes.hardware.report import OwnImage
from vigie.runtimes.hardware.tree import Tree

PATH = "opt/vigie/sbom.cdx.json"
# A version may hold hyphens of its own; a hardware key begins with the processor.
_VERSION = re.compile(r"(?P<version>.+)-(?P<key>(?:amd64|arm64v8)(?:-[a-z0-9]+)?)")


class _Component(msgspec.Struct):
    name: str
    version: str


class _Metadata(msgspec.Struct):
    component: _Component


class _Bill(msgspec.Struct):
    metadata: _Metadata


def read_own_image(tree: Tree) -> OwnImage | None:
    """The image that this tree is of; ``None`` outside Vigie's images, and where the bill is not readable."""
    try:
        component = msgspec.json.decode(tree.text(PATH), type=_Bill).metadata.component
    except msgspec.DecodeError:
        return None
    found = _VERSION.fullmatch(component.version)
    return OwnImage(component.name, found["version"], found["key"]) if found else None
