"""Errors of a module's ledger."""

from __future__ import annotations

from vigie.errors.base import AboutError, PermanentError, TransientError


class LedgerUnavailableError(AboutError, TransientError):
    """The ledger cannot be read or written now; what was recorded is still in it, what comes waits."""

    text = (
        "ledger {subject}: {reason}; nothing recorded is lost, it is tried again: "
        "make room on the disk or make the state folder writable"
    )


class LedgerRefusedError(PermanentError):
    """A ledger that a newer version of the module wrote."""

    def __init__(self, path: str, version: int, known: int) -> None:
        """``known``: the version this module writes."""
        super().__init__(
            f"ledger {path} has version {version}, newer than {known}, which this module reads; "
            "update the module, or move the file away and keep it"
        )


class SealedError(PermanentError):
    """What is on the disk was sealed with a key that is not here."""

    def __init__(self, needed: str, known: tuple[str, ...]) -> None:
        """``needed``, ``known``: names of keys, which tell nothing of them."""
        super().__init__(
            f"records on the disk are sealed with key {needed}; "
            f"{'here are ' + ', '.join(known) if known else 'no key is given'}; "
            "put that key back as a further line of the file of VIGIE_AT_REST_KEY; nothing is lost until then"
        )
        self.needed = needed
