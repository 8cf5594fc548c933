"""What the verbs share: the template that they work on, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.json_text import parse_json

TEMPLATE = CHECKOUT / "deployment.template.json"
MODULES = CHECKOUT / "modules"
HARDWARE = CHECKOUT / "deploy/hardware"


def read_json(path: Path) -> dict[str, Any]:
    """Raises: ManifestError: it cannot be read, or is no JSON object."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(str(path), f"cannot be read ({error.strerror})", "pass a template or manifest") from error
    except ValueError as error:
        raise ManifestError(str(path), f"is not valid JSON ({error})", "correct it") from error
    if not isinstance(content, dict):
        raise ManifestError(str(path), "holds no JSON object", "pass a deployment template or manifest")
    return content
