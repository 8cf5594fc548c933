"""``${NAME}`` in a template: found, filled, or told apart from what only looks like one.

Only ``${NAME}`` is a placeholder. iotedgedev also expands ``$NAME``, so that a variable called ``upstream`` in
somebody's shell changes the routes; here ``$upstream`` is always itself. A camera's ``source`` keeps its ``${NAME}``:
the camera module puts the secret in, on the device, and no manifest may hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vigie_devkit.manifest.errors import ManifestError

PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.\-]*)\}")
MODULES = "MODULES."
_VARIABLE = re.compile(r"\$(?:\{[A-Za-z_][A-Za-z0-9_.\-]*\}|[A-Za-z_][A-Za-z0-9_]*)")
_SECRET_OF_A_CAMERA = re.compile(r"\$\.modulesContent\.[^.]+\.properties\.desired\.cameras\.[^.]+\.source")


def expand(value: Any, fill: Callable[[str, str], str], path: str = "$") -> Any:
    """``value`` with every placeholder of its strings filled.

    Args: fill: gets name and path, returns the text or raises.
    """
    if isinstance(value, dict):
        return {key: expand(child, fill, f"{path}.{key}") for key, child in value.items()}
    if isinstance(value, list):
        return [expand(child, fill, f"{path}[{index}]") for index, child in enumerate(value)]
    if isinstance(value, str) and not belongs_to_the_module(path):
        return PLACEHOLDER.sub(lambda match: fill(match[1], path), value)
    return value


def placeholders(value: Any) -> Iterator[tuple[str, str]]:
    """Path and name of every placeholder in ``value``."""
    return ((path, match[1]) for path, text in texts(value) for match in PLACEHOLDER.finditer(text))


def texts(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Path and text of every string in ``value`` that a renderer may fill."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from texts(child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from texts(child, f"{path}[{index}]")
    elif isinstance(value, str) and not belongs_to_the_module(path):
        yield path, value


def is_variable(text: str) -> bool:
    """Whether all of ``text`` is one variable, ``${NAME}`` or iotedgedev's ``$NAME``."""
    return _VARIABLE.fullmatch(text) is not None


def belongs_to_the_module(path: str) -> bool:
    """Whether a ``${NAME}`` at ``path`` is a secret that the camera module reads on the device."""
    return _SECRET_OF_A_CAMERA.fullmatch(path) is not None


def from_values(values: Mapping[str, str]) -> Callable[[str, str], str]:
    """A ``fill`` for `expand`. Raises: ManifestError, when called: a name without a value."""

    def fill(name: str, path: str) -> str:
        if name not in values:
            raise ManifestError(path, f"${{{name}}} has no value", f"set {name} in the environment or in --env FILE")
        return values[name]

    return fill
