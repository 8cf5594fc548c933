"""A folder of bundles, one per name; found by name, listed without reading the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vigie.errors import BundleError, ModelError
from vigie.models.bundle import CARD_FILE, read_contained
from vigie.models.card import CARD_BYTES_MAX, Card, read_card


@dataclass(frozen=True, slots=True)
class Shelved:
    """What a listing shows: the card, or why there is none."""

    folder: Path
    card: Card | None
    refusal: str = ""


class BundleStore:
    """Bundles as folders under ``root``; the folder's name is the bundle's name here."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folders(self) -> list[Path]:
        """Folders that hold a card, by name; half-written ones (their names start with a dot) are left out."""
        if not self.root.is_dir():
            return []
        return sorted(card.parent for card in self.root.glob(f"*/{CARD_FILE}") if not card.parent.name.startswith("."))

    def list(self) -> Iterator[Shelved]:
        """Each bundle with its card; a broken one is told, not skipped. Checksums are not verified here."""
        for folder in self.folders():
            try:
                text = read_contained(folder, CARD_FILE, limit=CARD_BYTES_MAX)
                yield Shelved(folder, read_card(text, where=str(folder / CARD_FILE)))
            except ModelError as error:
                yield Shelved(folder, None, str(error))

    def find(self, name: str) -> Path:
        """The folder of ``name``. Raises: BundleError: there is none; the text lists what there is."""
        for folder in self.folders():
            if folder.name == name:
                return folder
        known = ", ".join(folder.name for folder in self.folders()) or "none"
        raise BundleError(name, f"is not in {self.root}; bundles there: {known}")
