"""The camera module's folder of chosen files: read only, looked at now and then."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from vigie.chosen_files import about_chosen, about_chosen_facts
from vigie.contracts.evidence import FACTS_SUFFIX, EvidenceFacts
from vigie.log import OncePer, get_logger
from vigie.sealed_files import opened_chunks
from vigie.sealing import BrokenSealError, Seals

log = get_logger("evidence.inbox")

_FACTS_BYTES = 1 << 20


class Inbox:
    """Used from one thread."""

    def __init__(self, folder: Path, seals: Seals) -> None:
        """The folder may come later. ``seals``: open what the camera module sealed."""
        self.folder, self._seals = folder, seals
        self._quiet = OncePer()
        self._decoder = msgspec.json.Decoder(EvidenceFacts)

    def names(self) -> list[str]:
        """Names of what is whole, oldest first. Raises: OSError: the folder cannot be read."""
        try:
            with os.scandir(self.folder) as entries:
                found = [
                    (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                    for entry in entries
                    if entry.name.endswith(FACTS_SUFFIX) and entry.is_file(follow_symlinks=False)
                ]
        except FileNotFoundError:
            return []
        return [name.removesuffix(FACTS_SUFFIX) for _, name in sorted(found)]

    def facts(self, name: str) -> EvidenceFacts | None:
        """None: gone, or not what they should be, which is logged.

        Raises: SealedError: the key is not here. OSError.
        """
        try:
            with _opened(self.folder / f"{name}{FACTS_SUFFIX}", _FACTS_BYTES) as file:
                raw = file.read(_FACTS_BYTES)
            facts = self._decoder.decode(self._seals.open(raw, about_chosen_facts(name)))
        except FileNotFoundError:
            return None
        except (ValueError, UnicodeDecodeError, BrokenSealError) as error:
            if self._quiet.ready(name) is not None:
                log.warning("facts_refused", file=f"{name}{FACTS_SUFFIX}", reason=str(error))
            return None
        if facts.name != name or facts.file.rpartition(".")[0] != name:
            log.warning("facts_refused", file=f"{name}{FACTS_SUFFIX}", reason="they name another file")
            return None
        return facts

    def content(self, facts: EvidenceFacts) -> Iterator[bytes]:
        """The file, in pieces. Raises: OSError (FileNotFoundError: gone), ValueError: it is not a plain file.

        SealedError: the key is not here. BrokenSealError: not what the camera module sealed.
        """
        with _opened(self.folder / facts.file, None) as file:
            yield from opened_chunks(file, about_chosen(facts.file), self._seals)


@contextmanager
def _opened(path: Path, limit: int | None) -> Iterator[BinaryIO]:
    # Another module's folder: a link or a FIFO in it must lead nowhere and hold nobody.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is not a file")
        if limit is not None and facts.st_size > limit:
            raise ValueError(f"{path.name} is longer than {limit} bytes")
        yield file
