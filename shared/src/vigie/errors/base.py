"""The three roots of the tree: anything, what may pass by itself, and what somebody has to change."""

from __future__ import annotations

from typing import ClassVar


class VigieError(Exception):
    """Base of everything that Vigie raises on purpose."""

    slug: ClassVar[str] = "vigie-error"


class TransientError(VigieError):
    """May succeed if tried again without anybody changing anything."""

    slug: ClassVar[str] = "transient"


class PermanentError(VigieError):
    """Fails again until somebody changes something; the text says what."""

    slug: ClassVar[str] = "permanent"
