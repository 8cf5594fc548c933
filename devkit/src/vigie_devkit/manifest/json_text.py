"""JSON of templates and manifests, as something that can be written again."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Raises: ValueError: not JSON, nested too deep, or with half a character (a lone surrogate)."""
    try:
        value = json.loads(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return value
