"""The one tree of Vigie's public errors.

    VigieError
    |-- TransientError      try again: the world may change (hub away, camera silent)
    `-- PermanentError      do not try again: somebody has to change something
        `-- ConfigRefusedError     a desired property, with its path

A class holds facts and builds its text: what happened, where, what to do. Each has a slug that is its
anchor in docs/errors.md; a test keeps the two equal.
"""

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


# -- config -----------------------------------------------------------------------------------------------------------


class ConfigRefusedError(PermanentError):
    """A desired property (or environment value) that cannot take effect; what ran before goes on."""

    slug: ClassVar[str] = "config-refused"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the JSON ``path`` (``$.cameras.dock.source``) and a ``reason`` that says what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


# -- contracts --------------------------------------------------------------------------------------------------------


class MessageRefusedError(PermanentError):
    """A message that does not decode: counted, reported, dropped; it never ends a module."""

    slug: ClassVar[str] = "message-refused"

    def __init__(self, where: str, reason: str) -> None:
        """``where``: input name and JSON path; ``reason``: what was expected and what was there."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


# -- frames -----------------------------------------------------------------------------------------------------------


# -- messaging --------------------------------------------------------------------------------------------------------


# -- camera -----------------------------------------------------------------------------------------------------------


# -- models and runtimes ----------------------------------------------------------------------------------------------


# -- sync -------------------------------------------------------------------------------------------------------------


# -- hub and dev kit --------------------------------------------------------------------------------------------------


class HubStartError(PermanentError):
    """The local edge hub cannot start (or cannot take a manifest): one sentence says what to change."""

    slug: ClassVar[str] = "hub-start"
