"""What waits to be uploaded, on disk: two files each, so that a kill or a power loss leaves it whole or not there.

``<rank>-<number>-<name>.item`` (what it is and where it goes) is written last and removed last but for its content,
``….data``. Nothing is ever changed in place, and removing needs no room: a full disk can be drained.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vigie.config.atomic import write_atomically
from vigie.contracts.evidence import EvidenceFacts
from vigie.log import get_logger
from vigie.private_files import file_mode

log = get_logger("evidence.spool")

_ITEM, _DATA, _PART = ".item", ".data", ".part"
# What is kept when there is no room for all: evidence of alerts, of other events, samples.
_ALERT, _EVENT, _SAMPLE = 0, 1, 2


class DamagedError(Exception):
    """The content is not what its facts say."""


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``blob``: its name at the target. ``age_ms``: of the spool's clock when it came.

    ``uploaded``: it is at the target, and the event that says so has not been confirmed. ``url``: without any token.
    """

    facts: EvidenceFacts
    target: str
    blob: str
    age_ms: int
    uploaded: bool = False
    url: str = ""
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item of the spool. ``stem``: of its files, and its place in the order."""

    stem: str
    item: Item
    bytes: int

    @property
    def rank(self) -> int:
        return int(self.stem[0])


def rank_of(facts: EvidenceFacts) -> int:
    if facts.about is None:
        return _SAMPLE
    return _ALERT if facts.about.severity == "alert" else _EVENT


class Spool:
    """Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Reads what a former start left. Raises: OSError."""
        self.folder = folder
        self._lock = threading.Lock()
        self._waiting: dict[str, Waiting] = {}
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o770)  # less the mask
        for path in [*folder.glob(f"*{_PART}"), *folder.glob(f".*{_ITEM}.*")]:
            path.unlink(missing_ok=True)
        for path in sorted(folder.glob(f"*{_ITEM}")):
            self._load(path)
        for path in folder.glob(f"*{_DATA}"):
            if path.name.removesuffix(_DATA) not in self._waiting:
                path.unlink(missing_ok=True)

    def all(self, target: str | None = None) -> list[Waiting]:
        """In the order in which they go."""
        with self._lock:
            return [one for _, one in sorted(self._waiting.items()) if target in {None, one.item.target}]

    @property
    def used_bytes(self) -> int:
        with self._lock:
            return sum(one.bytes for one in self._waiting.values())

    def holds(self, name: str, target: str) -> bool:
        with self._lock:
            return any(one.item.facts.name == name and one.item.target == target for one in self._waiting.values())

    def add(self, items: Iterable[Item], pieces: Iterable[bytes]) -> None:
        """Copy the content once, for all of ``items``, which are about the same file. On disk when it returns.

        Raises: DamagedError: length or hash differ from the facts. OSError: no room, gone.
        """
        wanted = list(items)
        facts = wanted[0].facts
        first: Path | None = None
        for item in wanted:
            with self._lock:
                self._number += 1
                stem = f"{rank_of(facts)}-{self._number:012d}-{facts.name}"
            path = self.folder / f"{stem}{_DATA}"
            try:
                if first is None:
                    _copy(path, pieces, facts)
                    first = path
                else:
                    os.link(first, path)
                write_atomically(self.folder / f"{stem}{_ITEM}", msgspec.json.encode(item))
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            with self._lock:
                self._waiting[stem] = Waiting(stem, item, facts.bytes)

    def data(self, one: Waiting) -> Path:
        return self.folder / f"{one.stem}{_DATA}"

    def uploaded(self, one: Waiting, url: str, *, verified: bool) -> Waiting:
        """Remember it, and give its content's room back. Raises: OSError."""
        item = msgspec.structs.replace(one.item, uploaded=True, url=url, verified=verified)
        write_atomically(self.folder / f"{one.stem}{_ITEM}", msgspec.json.encode(item))
        self.data(one).unlink(missing_ok=True)
        changed = Waiting(one.stem, item, 0)
        with self._lock:
            self._waiting[one.stem] = changed
        return changed

    def remove(self, one: Waiting) -> None:
        """It is told, or dropped."""
        with self._lock:
            self._waiting.pop(one.stem, None)
        with suppress(OSError):
            (self.folder / f"{one.stem}{_ITEM}").unlink(missing_ok=True)
            self.data(one).unlink(missing_ok=True)

    def make_room(self, needed: int, most: int, rank: int, busy: frozenset[str]) -> Counter[str] | None:
        """Drop what is worth less than ``rank``, or as much and older, until ``needed`` bytes fit in ``most``.

        ``busy``: stems that are being uploaded and stay. Returns: dropped, by camera; None: it does not fit, and
        nothing was dropped for it.
        """
        droppable = [
            one
            for one in sorted(self.all(), key=lambda one: (-one.rank, one.stem))
            if one.rank >= rank and one.stem not in busy and one.bytes
        ]
        over = self.used_bytes + needed - most
        chosen: list[Waiting] = []
        for one in droppable:
            if over <= 0:
                break
            chosen.append(one)
            over -= one.bytes
        if over > 0:
            return None
        for one in chosen:
            self.remove(one)
        return Counter(one.item.facts.camera for one in chosen)

    def _load(self, path: Path) -> None:
        stem = path.name.removesuffix(_ITEM)
        try:
            item = msgspec.json.decode(path.read_bytes(), type=Item)
            rank, number, _ = stem.split("-", 2)
            self._number = max(self._number, int(number))
            if int(rank) not in {_ALERT, _EVENT, _SAMPLE}:
                raise ValueError("unknown rank")  # noqa: TRY301 - told below, with the rest
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("spool_item_damaged", file=path.name, reason=str(error))
            path.rename(path.with_suffix(".damaged"))
            return
        data = self.folder / f"{stem}{_DATA}"
        size = data.stat().st_size if data.exists() else 0
        if item.uploaded:
            data.unlink(missing_ok=True)
            size = 0
        elif size != item.facts.bytes:
            log.warning("spool_content_damaged", file=data.name, bytes=size, expected=item.facts.bytes)
            path.rename(path.with_suffix(".damaged"))
            return
        self._waiting[stem] = Waiting(stem, item, size)


def _copy(path: Path, pieces: Iterable[bytes], facts: EvidenceFacts) -> None:
    digest, length = hashlib.sha256(), 0
    part = path.with_name(path.name + _PART)
    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), file_mode())
            for piece in pieces:
                digest.update(piece)
                length += len(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if length != facts.bytes or digest.hexdigest() != facts.sha256:
            raise DamagedError(
                f"{facts.file} has {length} bytes, sha256 {digest.hexdigest()[:12]}; "
                f"its facts say {facts.bytes}, {facts.sha256[:12]}"
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
