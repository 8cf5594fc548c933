"""Audit logs as they lie on a disk: found, read, judged, and their lines for people."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vigie.audit.chain import IN_THE_CLEAR, ChainLine, ChainVerdict, Head, read_line, verify
from vigie.audit.journal import log_files, read_head, read_log_file
from vigie.sealing import Seals
from vigie_devkit.local.errors import NoRunError, UsageError


def audit_folders(places: list[Path], modules: list[str]) -> dict[str, Path]:
    """Folders with an audit log, by module. ``places``: state folders of modules, or copies of their ``audit`` folder.

    Raises: UsageError, NoRunError: no run has a log, or not one of this module.
    """
    found: dict[str, Path] = {}
    for place in places:
        for name, folder in ((place.name, place / "audit"), (place.name, place)):
            if log_files(folder):
                found[name] = folder
                break
    if not found:
        raise NoRunError(f"there is no audit log in {', '.join(map(str, places)) or 'this run'}")
    for module in modules:
        if module not in found:
            raise UsageError(f"there is no audit log of '{module}'; there are {', '.join(found)}")
    return {name: folder for name, folder in found.items() if not modules or name in modules}


def judged(folder: Path, known: Head | None, seals: Seals = IN_THE_CLEAR) -> ChainVerdict:
    """Everything that is wrong with the log in ``folder``. Raises: SealedError: a line needs another key."""
    files = [(name, read_log_file(folder / name)) for name in log_files(folder)]
    return verify(files, read_head(folder), known=known, seals=seals)


def lines_of(folder: Path, seals: Seals = IN_THE_CLEAR) -> Iterator[ChainLine]:
    """Lines that can be read, oldest first; what cannot is for ``judged`` to tell. Raises: SealedError."""
    for name in log_files(folder):
        for text in read_log_file(folder / name).split(b"\n"):
            with contextlib.suppress(ValueError):
                yield read_line(text, seals)


def readable(line: ChainLine) -> list[str]:
    """One line of the log in a few lines for people. Control characters stay escaped: a twin wrote some of this."""
    entry = line.entry
    begin = f"{line.at[:23].replace('T', ' ')}  {line.module}  #{line.n}"
    match entry.kind:
        case "twin":
            shown = [f"{begin}  twin version {entry.version} {entry.result}"]
            shown += [f"    {one.path}: {one.before} -> {one.after}" for one in entry.changed]
            shown += [f"    {one.path}: refused {one.asked}: {one.reason}" for one in entry.refused]
            shown += [f"    and {entry.more} more"] if entry.more else []
        case "method":
            error = f": {entry.error}" if entry.error else ""
            shown = [f"{begin}  method {entry.method} {entry.request} -> {entry.status}{error}"]
        case "start":
            shown = [f"{begin}  start of version {entry.software}"]
        case "lost":
            shown = [f"{begin}  {entry.more} entries before this one could not be written"]
        case "removed":
            shown = [f"{begin}  {entry.file} (up to #{entry.last}) was removed to make room"]
        case "recovered":
            shown = [f"{begin}  the log was found damaged: {entry.error}"]
    return list(map(_printable, shown))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
