"""What exporters append to a .tflite file: a zip with class names, or with Ultralytics' facts.

Source: tensorflow/tflite-support metadata_writers (label files); ultralytics/ultralytics, engine/exporter.py.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

from vigie_devkit.models.signature import read_literal

_BYTES_MAX = 1 << 20
_ENTRIES_MAX = 64
_BACKGROUND = frozenset({"???", "background", "__background__", "bg"})


def read_metadata(content: bytes, classes: int | None) -> dict[str, str]:
    """Metadata as an ONNX export has it: text by name; ``names`` holds class names as a literal.

    Args: classes: of a detector whose own number is known; a background before them is left out. Returns: empty where
        nothing is appended, or what is appended cannot be read: it is not needed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES_MAX:
                return {}
            texts = {one.filename: _text(archive, one) for one in entries if one.file_size <= _BYTES_MAX}
    except Exception:  # zipfile raises what the bytes make it raise: zlib.error, RuntimeError, struct.error, ...
        return {}
    for text in texts.values():
        facts = _facts(text)
        if facts is not None and "names" in facts:
            return {str(key)[:200]: str(value) for key, value in facts.items()}
    lists = {name: text for name, text in texts.items() if name.lower().endswith(".txt")}
    named = {name: text for name, text in lists.items() if "label" in name.lower()} or lists
    if len(named) != 1:
        return {}
    names = [line.strip() for line in next(iter(named.values())).splitlines()]
    while names and not names[-1]:
        names.pop()
    if classes is not None and len(names) == classes + 1 and names[0].lower() in _BACKGROUND:
        names = names[1:]
    return {"names": repr(names)} if names and all(names) else {}


def _text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    with archive.open(entry) as packed:
        return packed.read(_BYTES_MAX).decode("utf-8", "replace")


def _facts(text: str) -> Mapping[str, object] | None:
    """Ultralytics writes JSON, or, before 2025, a Python dict."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = read_literal(text)
    return found if isinstance(found, dict) else None
