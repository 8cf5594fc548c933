"""A file of ``NAME=value`` lines, as iotedgedev and IDEs keep beside a template. A value is what it says."""

from __future__ import annotations

import re
from pathlib import Path

from vigie_devkit.manifest.errors import ManifestError

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")


def read_dotenv(path: Path) -> dict[str, str]:
    """Raises: ManifestError: it cannot be read, or a line is none; the line is named, never its value."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(str(path), f"cannot be read ({error})", "pass --env FILE with NAME=value lines") from error
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ManifestError(
                f"{path} line {number}", "is not NAME=value", "write one variable a line, # for comments"
            )
        values[match["name"]] = _unquoted(match["value"])
    return values


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.split(" #", 1)[0].rstrip()
