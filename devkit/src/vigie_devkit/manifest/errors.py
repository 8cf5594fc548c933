"""What can be wrong with a manifest before anything can be made of it: where, what, and what to do."""

from __future__ import annotations

from vigie_devkit.local.errors import Exit, LocalError


class ManifestError(LocalError):
    """One sentence; `cli.main` prints it. Findings of the lint are no errors but `findings.Finding`."""

    exit_code = Exit.USAGE

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy
