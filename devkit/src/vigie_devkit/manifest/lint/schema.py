"""The published JSON schemas of templates and manifests (SchemaStore): what the cloud's own tools check."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigie.config.wording import nearest
from vigie_devkit.manifest.content import modules_content
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error
from vigie_devkit.manifest.placeholders import is_variable

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

SCHEMAS = Path(__file__).parents[1] / "schemas"
_TEMPLATES = {"2": "azure-iot-edge-deployment-template-2.0.json"}
_TEMPLATE = "azure-iot-edge-deployment-template-4.0.json"
_MANIFEST = "azure-iot-edge-deployment-2.0.json"
_MOST = 20
_TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "object": "an object", "array": "a list"}
_BASE = "https://json.schemastore.org/"


def published_schema(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """One finding for each place; of alternatives the one that comes closest."""
    from jsonschema.exceptions import best_match

    name = _MANIFEST
    if deployment.is_template:
        name = _TEMPLATES.get(str(deployment.content.get("$schema-template", "4"))[:1], _TEMPLATE)
    for found, _number in zip(validator(name).iter_errors(_filled(deployment)), range(_MOST), strict=False):
        closest = best_match([found]) or found
        if closest.absolute_path and closest.absolute_path[-1] == "schemaVersion" and closest.instance == "1.0":
            continue  # devices accept it beside "$schema-template" 4.0 too
        yield error("schema", json_path(list(closest.absolute_path)), _short(_sentence(closest)), f"see {name}")


def _filled(deployment: Deployment) -> Mapping[str, Any]:
    """The content with a name for each registry that is still a variable, as it will have when it is filled."""
    given = deployment.runtime_settings.get("registryCredentials", {})
    if not deployment.is_template or not any(map(is_variable, given)):
        return deployment.content
    content = copy.deepcopy(dict(deployment.content))
    agent = modules_content(content)["$edgeAgent"]["properties.desired"]
    agent["runtime"]["settings"]["registryCredentials"] = {
        re.sub(r"\W", "", key) if is_variable(key) else key: value for key, value in given.items()
    }
    return content


@cache
def validator(name: str) -> Validator:
    """For the published schema ``name``; the files that it refers to are beside it."""
    from jsonschema.validators import validator_for
    from referencing import Registry, Resource

    loaded = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("azure-*.json")}
    resources: list[tuple[str, Resource[Any]]] = [
        (f"{_BASE}{file}", Resource.from_contents(schema)) for file, schema in loaded.items()
    ]
    made: Validator = validator_for(loaded[name])(loaded[name], registry=Registry().with_resources(resources))
    return made


def _sentence(found: ValidationError) -> str:
    """What is allowed and what was found, where the schema's own words are a programmer's."""
    given = json.dumps(found.instance)
    if found.validator == "enum" and isinstance(found.validator_value, list):
        allowed = [str(one) for one in found.validator_value]
        return f"expected one of {', '.join(allowed)}, got {given}{nearest(str(found.instance), allowed)}"
    if found.validator == "type" and isinstance(found.validator_value, str):
        return f"expected {_TYPES.get(found.validator_value, found.validator_value)}, got {given}"
    return str(found.message)


def json_path(parts: list[str | int]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:120]} ... {text[-60:]}"
