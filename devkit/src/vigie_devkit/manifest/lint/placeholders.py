"""What a renderer would have filled, or would fill without being asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vigie_devkit.manifest.images import module_files
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, warning
from vigie_devkit.manifest.placeholders import MODULES, placeholders, texts

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
    for path, text in texts(deployment.content) if deployment.is_template else ():
        for name in () if path.startswith(f"{EDGE_HUB}.routes") else _BARE.findall(text):
            yield warning(
                "placeholder-bare",
                path,
                f"${name} looks like a variable: iotedgedev fills it if its environment has one, ./vigie never does",
                f"write ${{{name}}} if it is one",
            )
