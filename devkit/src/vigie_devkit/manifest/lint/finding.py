"""What a check found: where, what happens, what to write instead."""

from __future__ import annotations

import msgspec

from vigie_edgehub.routes.lint import Severity


class Finding(msgspec.Struct, frozen=True):
    """``rule`` is its stable name (docs/manifest.md has them all); ``path`` a JSON path from ``$``."""

    rule: str
    severity: Severity
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        mark = "" if self.what.endswith("?") else ";"
        return f"{self.severity}: {self.path}: {self.what}{mark} {self.remedy} [{self.rule}]"


def error(rule: str, path: str, what: str, remedy: str) -> Finding:
    return Finding(rule, Severity.ERROR, path, what, remedy)


def warning(rule: str, path: str, what: str, remedy: str) -> Finding:
    return Finding(rule, Severity.WARNING, path, what, remedy)


def hint(rule: str, path: str, what: str, remedy: str) -> Finding:
    return Finding(rule, Severity.HINT, path, what, remedy)
