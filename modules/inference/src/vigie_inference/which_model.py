"""Which bundle serves: the one that the twin names, by path or by name, else the one that the image ships."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from vigie.errors import ConfigRefusedError
from vigie.models.bundle import CARD_FILE
from vigie_inference.config import ModelConfig

SHIPPED = "conveyor-parts"
SHELF_MAX = 24


def which_model(wanted: ModelConfig | None, shelves: Sequence[Path]) -> ModelConfig | None:
    """``wanted`` with its ``path``; without one the shipped bundle, None where this image has none.

    Args: shelves: folders of bundles, the first that has a name wins.
    Raises: ConfigRefusedError: path and name, or neither; a name that no shelf has, with those that they have.
    """
    if wanted is None:
        folder = _find(SHIPPED, shelves)
        return None if folder is None else ModelConfig(path=str(folder))
    if wanted.path is not None and wanted.name is not None:
        # An edit is merged into what is there: a name beside the path of before.
        raise ConfigRefusedError("$.model", 'expected "name" or "path", got both; write null for the other one')
    if wanted.path is None and wanted.name is None:
        raise ConfigRefusedError("$.model", 'expected "name" or "path", got neither')
    if wanted.name is None:
        return wanted
    folder = _find(wanted.name, shelves)
    if folder is None:
        known = sorted({card.parent.name for shelf in shelves for card in shelf.glob(f"*/{CARD_FILE}")})
        where = ", ".join(str(shelf) for shelf in shelves)
        raise ConfigRefusedError(
            "$.model.name",
            f"there is no bundle {wanted.name!r} in {where}; there are: {', '.join(known) or 'none'}",
        )
    return msgspec.structs.replace(wanted, path=str(folder), name=None)


def _find(name: str, shelves: Sequence[Path]) -> Path | None:
    return next((shelf / name for shelf in shelves if (shelf / name / CARD_FILE).is_file()), None)


def shelf(folders: Sequence[Path]) -> list[str]:
    """Names of the bundles that can be tried or served by name."""
    return sorted({card.parent.name for folder in folders for card in folder.glob(f"*/{CARD_FILE}")})[:SHELF_MAX]
