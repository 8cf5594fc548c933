"""What a renderer would have filled, or would fill without being asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vigie_devkit.manifest.images import module_files
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, warning
from vigie_devkit.manifest.placeholders import MODULES, belongs_to_the_module, placeholders

_BARE = re.compile(r"\$(?!\{)([A-Za-z_][A-Za-z0-9_]*)")


def placeholder_rules(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    known = module_files(assumed.modules) if assumed.modules else None
    for path, name in placeholders(deployment.content):
        if not deployment.is_template:
            yield error(
                "placeholder-left",
                path,
                f"${{{name}}} is not filled: the device takes it as text",
                "render the template",
            )
        elif name.startswith(MODULES) and known is not None:
            module, _, platform = name.removeprefix(MODULES).partition(".")
            if module not in known:
                yield error(
                    "placeholder-module",
                    path,
                    f"${{{name}}}: there is no modules/{module}/module.json",
                    f"use one of {', '.join(known)}",
                )
            elif platform and platform not in known[module].image.tag.platforms:
                yield error(
                    "placeholder-platform",
                    path,
                    f"{module} has no platform {platform!r}",
                    f"use one of {', '.join(known[module].image.tag.platforms)}",
                )
    for path, name in _bare(deployment.content) if deployment.is_template else ():
        yield warning(
            "placeholder-bare",
            path,
            f"${name} looks like a variable: iotedgedev fills it if its environment has one, ./vigie never does",
            f"write ${{{name}}} if it is one",
        )


def _bare(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _bare(child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _bare(child, f"{path}[{index}]")
    elif isinstance(value, str) and not path.startswith(f"{EDGE_HUB}.routes") and not belongs_to_the_module(path):
        yield from ((path, match[1]) for match in _BARE.finditer(value))
