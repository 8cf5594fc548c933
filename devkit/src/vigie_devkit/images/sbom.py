"""The software bill of materials of an image: CycloneDX 1.6 in JSON, made of its lock, our distributions and models.

Written beside each Dockerfile by ``./vigie images write``; the build stage completes it (the base that was given, the
decoder that was chosen, the sha256 of each wheel that was installed) and puts it into the image.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from vigie_devkit.images.catalogue import Image
from vigie_devkit.images.catalogue import version as checkout_version
from vigie_devkit.images.dockerfile import default_base
from vigie_devkit.images.locked import locked, own_distributions
from vigie_devkit.local.paths import CHECKOUT

IN_IMAGE = "/opt/vigie/sbom.cdx.json"
BASE_REF = "base"
_NOTICE = re.compile(r"^\| ([A-Za-z0-9._-]+) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
Json = dict[str, Any]


def sbom_text(image: Image) -> str:
    """The committed file: one component a line, the same bytes for the same checkout."""
    bom = sbom(image)
    parts = [f'"{key}": {_lines(value) if key == "components" else json.dumps(value)}' for key, value in bom.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def sbom(image: Image) -> Json:
    """What ``image`` holds beyond its base; the base is named, its packages are not listed (``compositions``)."""
    licences = _licences()
    lock = (CHECKOUT / image.lock).read_bytes()
    components = [
        *(_package(name, version, licences) for name, version in sorted(locked(image).items())),
        *(_ours(name, version) for name, version in sorted(own_distributions(image).items())),
        *(_models() if image.models else ()),
        {"type": "container", "bom-ref": BASE_REF, "name": default_base(image)},
    ]
    whole = {
        "type": "container",
        "bom-ref": "image",
        "name": image.repository,
        "version": f"{checkout_version()}-{image.key}",
        "licenses": [{"license": {"id": "MIT"}}],
    }
    digest = hashlib.sha256(json.dumps([whole, components], sort_keys=True).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(digest[:32], version=5)}",
        "version": 1,
        "metadata": {
            "component": whole,
            "properties": [
                {"name": "vigie:lock", "value": image.lock},
                {"name": "vigie:lock.sha256", "value": hashlib.sha256(lock).hexdigest()},
            ],
        },
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": [one["bom-ref"] for one in components]}],
        "compositions": [{"aggregate": "incomplete", "assemblies": [BASE_REF]}],
    }


def findings(image: Image, bom: Any, found: Mapping[str, str], cards: Mapping[str, str]) -> Iterator[str]:
    """Where an image differs from the bill of materials in it, a sentence each.

    Args: bom: what stands in the image. found: version of each distribution in the image. cards: sha256 of each
        model's card in the image.
    """
    if not isinstance(bom, dict) or (bom.get("bomFormat"), bom.get("specVersion")) != ("CycloneDX", "1.6"):
        yield f"holds no bill of materials ({IN_IMAGE}, CycloneDX 1.6)"
        return
    listed = {one["name"]: one for one in bom.get("components", []) if one.get("type") == "library"}
    names = {canonicalize_name(name): version for name, version in found.items()}
    for name in sorted(listed.keys() | names.keys()):
        says = listed[name]["version"] if name in listed else None
        if says != names.get(name):
            yield f"its bill of materials says {name} {says or '(none)'}, the image holds {names.get(name, 'none')}"
    models = {one["name"]: one["hashes"][0]["content"] for one in bom.get("components", []) if "model" in one["type"]}
    for name in sorted(models.keys() | cards.keys()):
        if models.get(name) != cards.get(name):
            yield f"the model {name} in the image is not the one in its bill of materials"
    expected = {one["name"]: one["version"] for one in sbom(image)["components"] if one["type"] == "library"}
    for name in sorted(listed.keys() - expected.keys()):
        yield f"its bill of materials lists {name}, which {image.lock} does not pin"


def _package(name: str, version: str, licences: Mapping[tuple[str, str], str]) -> Json:
    component: Json = {"type": "library", "bom-ref": f"pypi/{name}", "name": name, "version": version}
    licence = licences.get((name, version))
    if licence is not None:
        component["licenses"] = [{"license": {"name": licence}}]
    return {**component, "purl": f"pkg:pypi/{name}@{version}"}


def _ours(name: str, version: str) -> Json:
    licence = [{"license": {"id": "MIT"}}]
    return {"type": "library", "bom-ref": f"own/{name}", "name": name, "version": version, "licenses": licence}


def _models() -> Iterator[Json]:
    from vigie.models.card import read_card

    for file in sorted((CHECKOUT / "shared/models").glob("*/card.yaml")):
        content = file.read_bytes()
        card = read_card(content, where=str(file))
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model/{file.parent.name}",
            "name": file.parent.name,
            "version": card.version,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}],
            "licenses": [{"license": {"name": card.licence}}],
        }


def _licences() -> dict[tuple[str, str], str]:
    """As the packages state them: THIRD_PARTY_NOTICES.md, which a test keeps true."""
    text = (CHECKOUT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8")
    return {(canonicalize_name(name), version): licence for name, version, licence in _NOTICE.findall(text)}


def _lines(components: list[Json]) -> str:
    return "[\n" + ",\n".join(f"  {json.dumps(one)}" for one in components) + "\n]"
