"""A delegate of LiteRT as a configuration names it: a vendor's library, and what it drives."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from vigie.runtimes.providers.litert import DELEGATE_OPTIONS


class NamedDelegate(msgspec.Struct, frozen=True):
    """``library``: its path. ``device``: what it drives. ``options``: its own, given to it as they are."""

    library: str
    device: Literal["NPU", "GPU"] = "NPU"
    options: dict[str, str] = {}

    def candidate_options(self) -> dict[str, str]:
        own = {f"{DELEGATE_OPTIONS}{name}": value for name, value in self.options.items()}
        return {"library": self.library, **own}

    def fingerprint(self) -> str:
        """Of the library's content: another one under the same name is measured anew. Empty: it cannot be read."""
        try:
            with Path(self.library).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""
