"""Reading under a root folder, so that a test can lay out any machine; what cannot be read is absent."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEXT_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Who asks: decides whether a device node may be opened."""

    uid: int
    gids: frozenset[int]

    @classmethod
    def of_this_process(cls) -> ProcessIdentity:
        return cls(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))


@dataclass(frozen=True, slots=True)
class Tree:
    """A file-system root. Paths are given without the leading slash."""

    root: Path
    identity: ProcessIdentity

    def text(self, path: str) -> str:
        """Its stripped text; empty if there is none. Device-tree strings end in NUL, which is cut."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(TEXT_BYTES_MAX).decode("utf-8", "replace").strip("\0 \n\t")
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        try:
            return int(self.text(path), 0)
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.root / path)

    def glob(self, pattern: str) -> Iterator[str]:
        """Sorted paths that match, again without the leading slash."""
        try:
            found = sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))
        except OSError:
            return
        yield from found

    def value(self, path: str, key: str) -> str:
        """``VALUE`` of a line ``KEY=VALUE`` of a uevent file."""
        for line in self.text(path).splitlines():
            name, _, value = line.partition("=")
            if name == key:
                return value
        return ""

    def closed_to(self, path: str) -> tuple[int, int] | None:
        """``None`` if this identity may read and write the node, else its owner's (uid, gid)."""
        try:
            facts = (self.root / path).stat()
        except OSError:
            return None
        if self.identity.uid == 0:
            return None
        owner, group = facts.st_uid, facts.st_gid
        if self.identity.uid == owner:
            bits = (stat.S_IRUSR, stat.S_IWUSR)
        elif group in self.identity.gids:
            bits = (stat.S_IRGRP, stat.S_IWGRP)
        else:
            bits = (stat.S_IROTH, stat.S_IWOTH)
        return None if all(facts.st_mode & bit for bit in bits) else (owner, group)
