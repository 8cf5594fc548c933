"""What waits to be uploaded, on disk: two files each, so that a kill or a power loss leaves it whole or not there.

``<rank>-<number>-<name>.item`` (what it is and where it goes) is written last and removed last but for its content,
``….data``. Both are sealed where the device has a key.

Nothing is ever changed in place, and removing needs no room: a full disk can be drained.
"""

from __future__ import annotations

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
from vigie.errors import SealedError
from vigie.log import get_logger
from vigie.private_files import file_mode
from vigie.sealed_files import Checksum, check_key, is_sealed_file, sealed_bytes, sealed_chunks, whole_records
from vigie.sealing import OVERHEAD_BYTES, BrokenSealError, Seals, is_sealed
from vigie_evidence.content import Content, about_content, check

log = get_logger("evidence.spool")

_ITEM, _DATA, _PART, _DAMAGED = ".item", ".data", ".part", ".damaged"
# Damaged items that are kept for a person to look at.
_KEPT = 3
# What is kept when there is no room for all: evidence of alerts, of other events, samples.
_ALERT, _EVENT, _SAMPLE = 0, 1, 2


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
class SpoolEntry:
    """One item of the spool. ``stem``: of its files, and its place in the order."""

    stem: str
    item: Item
    bytes: int

    @property
    def rank(self) -> int:
        return int(self.stem[0])


@dataclass(frozen=True, slots=True)
class Lost:
    """One item that was damaged while nobody looked. ``camera``: None, where it cannot be read. ``name``: as above."""

    name: str
    camera: str | None
    reason: str


def rank_of(facts: EvidenceFacts) -> int:
    if facts.about is None:
        return _SAMPLE
    return _ALERT if facts.about.severity == "alert" else _EVENT


class Spool:
    """Thread-safe."""

    def __init__(self, folder: Path, seals: Seals) -> None:
        """Reads what a former start left. ``seals``: what waits is sealed with, where there is a key.

        Raises: SealedError: something needs a key that is not here; nothing was changed. OSError.
        """
        self.folder, self._seals = folder, seals
        self._lock = threading.Lock()
        self._waiting: dict[str, SpoolEntry] = {}
        self._number = 0
        self._lost: list[Lost] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o770)  # less the mask
        items = sorted(folder.glob(f"*{_ITEM}"))
        for path in items:
            self._check_keys(path)
        for path in [*folder.glob(f"*{_PART}"), *folder.glob(f".*{_ITEM}.*")]:
            path.unlink(missing_ok=True)
        for path in items:
            self._load(path)
        for path in folder.glob(f"*{_DATA}"):
            if path.name.removesuffix(_DATA) not in self._waiting:
                path.unlink(missing_ok=True)
        for path in sorted(folder.glob(f"*{_DAMAGED}"), key=lambda path: path.name.split("-")[1:2])[:-_KEPT]:
            log.warning("spool_damaged_removed", file=path.name, kept=_KEPT)
            path.unlink(missing_ok=True)

    def take_lost(self) -> list[Lost]:
        """What was found damaged at start, and is not in the spool any more: once, for who can get it again."""
        with self._lock:
            lost, self._lost = self._lost, []
        return lost

    def forget_damaged(self) -> int:
        """Remove what was set aside, of which nobody can tell any more what it is about. Returns: files."""
        damaged = list(self.folder.glob(f"*{_DAMAGED}"))
        for path in damaged:
            path.unlink(missing_ok=True)
        return len(damaged)

    def all(self, target: str | None = None) -> list[SpoolEntry]:
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

        Raises: DamagedError: length or hash differ from the facts. OSError: no room, gone. What ``pieces`` raise.
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
                    _copy(path, pieces, facts, self._seals)
                    first = path
                else:
                    os.link(first, path)
                self._put(stem, item)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            with self._lock:
                self._waiting[stem] = SpoolEntry(stem, item, facts.bytes)

    @property
    def at_rest(self) -> str:
        """How what comes now lies on the disk: "in the clear", or the name of the key."""
        return self._seals.name or "in the clear"

    def content(self, one: SpoolEntry) -> Content:
        return Content(self._data(one.stem), one.item.facts, self._seals)

    def _data(self, stem: str) -> Path:
        return self.folder / f"{stem}{_DATA}"

    def _put(self, stem: str, item: Item) -> None:
        write_atomically(
            self.folder / f"{stem}{_ITEM}", self._seals.close(msgspec.json.encode(item), _about_item(stem))
        )

    def uploaded(self, one: SpoolEntry, url: str, *, verified: bool) -> SpoolEntry:
        """Remember it, and give its content's room back. Raises: OSError."""
        item = msgspec.structs.replace(one.item, uploaded=True, url=url, verified=verified)
        self._put(one.stem, item)
        self._data(one.stem).unlink(missing_ok=True)
        changed = SpoolEntry(one.stem, item, 0)
        with self._lock:
            self._waiting[one.stem] = changed
        return changed

    def remove(self, one: SpoolEntry) -> None:
        """It is told, or dropped."""
        with self._lock:
            self._waiting.pop(one.stem, None)
        with suppress(OSError):
            (self.folder / f"{one.stem}{_ITEM}").unlink(missing_ok=True)
            self._data(one.stem).unlink(missing_ok=True)

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
        chosen: list[SpoolEntry] = []
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

    def _check_keys(self, path: Path) -> None:
        """Raises: SealedError: it, or its content, needs a key that is not here."""
        stem = path.name.removesuffix(_ITEM)
        stored, data = path.read_bytes(), self._data(stem)
        if is_sealed(stored) and len(stored) < OVERHEAD_BYTES:
            return
        try:
            facts = msgspec.json.decode(self._seals.open(stored, _about_item(stem)), type=Item).facts
        except (ValueError, msgspec.MsgspecError, BrokenSealError):
            return  # damaged: set aside when it is loaded
        if data.exists():
            check_key(data, about_content(facts), self._seals)

    def _load(self, path: Path) -> None:
        stem = path.name.removesuffix(_ITEM)
        try:
            item = msgspec.json.decode(self._seals.open(path.read_bytes(), _about_item(stem)), type=Item)
            rank, number, _ = stem.split("-", 2)
            self._number = max(self._number, int(number))
            if int(rank) not in {_ALERT, _EVENT, _SAMPLE}:
                raise ValueError("unknown rank")  # noqa: TRY301 - told below, with the rest
        except (ValueError, msgspec.MsgspecError, BrokenSealError, SealedError) as error:
            self._set_aside(path, None, str(error))
            return
        data = self._data(stem)
        size = data.stat().st_size if data.exists() else 0
        if item.uploaded:
            data.unlink(missing_ok=True)
            size = 0
        else:
            expected = item.facts.bytes
            if size and is_sealed_file(data):
                expected = sealed_bytes(item.facts.bytes)
            if size != expected:
                self._set_aside(path, item.facts.camera, f"{size} bytes of content lie there, expected {expected}")
                return
            size = item.facts.bytes
        self._waiting[stem] = SpoolEntry(stem, item, size)

    def _set_aside(self, path: Path, camera: str | None, reason: str) -> None:
        """Its content is of no use without it, and goes."""
        log.error("spool_item_damaged", file=path.name, reason=reason, kept_as=path.with_suffix(_DAMAGED).name)
        path.rename(path.with_suffix(_DAMAGED))
        name = path.name.removesuffix(_ITEM).split("-", 2)[-1]
        self._lost.append(Lost(name, camera, reason))


def _about_item(stem: str) -> str:
    return f"spool/{stem}"


def _copy(path: Path, pieces: Iterable[bytes], facts: EvidenceFacts, seals: Seals) -> None:
    checksum = Checksum()
    part = path.with_name(path.name + _PART)

    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), file_mode())
            for piece in sealed_chunks(whole_records(checksum.of(pieces)), about_content(facts), seals):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        check(facts, checksum.length, checksum.sha256)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
