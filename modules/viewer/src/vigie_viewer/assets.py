"""The page's files, read once and compressed once. No path of a request ever reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served. ``etag``: of its content, so that a browser asks and mostly gets nothing."""

    content_type: str
    plain: bytes
    compressed: bytes
    etag: str


def read_assets() -> Mapping[str, Asset]:
    """Every file of the page by its path below ``page/``."""
    return dict(_below(files("vigie_viewer") / "page", ""))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found.extend(_below(entry, f"{name}/"))
        elif (kind := _TYPES.get(f".{entry.name.rpartition('.')[2]}")) is not None:
            plain = entry.read_bytes()
            digest = hashlib.sha256(plain).hexdigest()[:16]
            found.append((name, Asset(kind, plain, gzip.compress(plain, 9, mtime=0), f'"{digest}"')))
    return found
