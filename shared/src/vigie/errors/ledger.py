"""Errors of a module's ledger."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError, TransientError


class LedgerUnavailableError(TransientError):
    """The ledger cannot be read or written now; what was recorded is still in it, what comes waits."""

    slug: ClassVar[str] = "ledger-unavailable"

    def __init__(self, path: str, reason: str) -> None:
        """``reason`` as the database or the operating system gives it."""
        super().__init__(
            f"ledger {path}: {reason}; nothing recorded is lost, it is tried again: "
            "make room on the disk or make the state folder writable"
        )
        self.path = path
        self.reason = reason


class LedgerRefusedError(PermanentError):
    """A ledger that a newer version of the module wrote."""

    slug: ClassVar[str] = "ledger-refused"

    def __init__(self, path: str, version: int, known: int) -> None:
        """``known``: the version this module writes."""
        super().__init__(
            f"ledger {path} has version {version}, newer than {known}, which this module reads; "
            "update the module, or move the file away and keep it"
        )
        self.path = path


class SealedError(PermanentError):
    """What is on the disk was sealed with a key that is not here."""

    slug: ClassVar[str] = "sealed"

    def __init__(self, needed: str, known: tuple[str, ...]) -> None:
        """``needed``, ``known``: names of keys, which tell nothing of them."""
        super().__init__(
            f"records on the disk are sealed with key {needed}; "
            f"{'here are ' + ', '.join(known) if known else 'no key is given'}; "
            "put that key back as a further line of the file of VIGIE_AT_REST_KEY; nothing is lost until then"
        )
        self.needed = needed
