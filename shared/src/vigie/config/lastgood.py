"""The last good desired properties on disk, so that a module runs within seconds when the hub is away at boot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from vigie.config.atomic import write_atomically
from vigie.config.desired import Desired
from vigie.log import get_logger

log = get_logger(__name__)

_SCHEMA = "vigie.lastgood"
_VERSION = 1


class _File(msgspec.Struct, frozen=True):
    schema: str
    version: int
    properties: dict[str, Any]


class LastGood:
    """One file, replaced atomically. Version N reads N-1; a file that cannot be read is as good as none."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made on the first save."""
        self.path = folder / "last-good-twin.json"

    def load(self) -> Desired | None:
        """The stored version, or None: no file, torn, or written by a newer module (logged, never raised)."""
        try:
            stored = msgspec.json.decode(self.path.read_bytes(), type=_File)
            name, _, number = stored.schema.rpartition("/")
            if name != _SCHEMA or not number.isdigit() or not _VERSION - 1 <= int(number) <= _VERSION:
                log.warning("last_good_twin_ignored", path=str(self.path), reason=f"schema {stored.schema!r}")
                return None
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("last_good_twin_ignored", path=str(self.path), reason=str(error))
            return None
        return Desired(stored.version, stored.properties)

    def save(self, desired: Desired) -> None:
        """Write the new version beside the old one, then swap: after power loss one of the two is whole.

        A disk that cannot be written is logged: the module runs on, only its next offline boot is older.
        """
        encoded = msgspec.json.encode(_File(f"{_SCHEMA}/{_VERSION}", desired.version, desired.properties))
        try:
            write_atomically(self.path, encoded)
        except OSError as error:
            log.warning("last_good_twin_not_saved", path=str(self.path), reason=str(error))
