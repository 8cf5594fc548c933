"""What an update leaves on disk, and what follows from it at the next start. Pure: no clock, no I/O."""

from __future__ import annotations

import msgspec

# A model whose process does not live through its first starts is at fault, whatever killed it.
STARTS_MAX = 3
_REMEMBERED = 16


class StoredBundle(msgspec.Struct, frozen=True):
    """A bundle of the store. ``folder``: its name there; ``digest``: of its card, which holds all its files' hashes."""

    name: str
    version: str
    sha256: str
    key: str
    folder: str
    digest: str


class Probation(msgspec.Struct, frozen=True):
    """The serving release has not proven itself yet. ``served_s``: so long it has served; ``starts``: of the module."""

    lasts_s: float
    failures_max: int
    served_s: float = 0.0
    starts: int = 0


class EndedRequest(msgspec.Struct, frozen=True):
    """A request that is not tried again. ``phase``: ``rejected`` or ``rolled_back``."""

    key: str
    phase: str
    reason: str
    version: str = ""


class Record(msgspec.Struct, frozen=True):
    """``serving`` None: the model that desired property ``model`` names serves. So may ``former`` be None.

    ``kept``: releases that served before ``former``, the newest first.
    """

    serving: StoredBundle | None = None
    former: StoredBundle | None = None
    probation: Probation | None = None
    ended: tuple[EndedRequest, ...] = ()
    kept: tuple[StoredBundle, ...] = ()


def committed(record: Record, held: StoredBundle, probation: Probation | None, keep: int = 1) -> Record:
    """``held`` serves from now on; of those before it ``keep`` stay, the last one always."""
    former = record.serving if record.serving != held else record.former
    older = (one for one in (record.former, *record.kept) if one is not None)
    kept = tuple(one for one in older if one.folder not in {held.folder, "" if former is None else former.folder})
    return Record(serving=held, former=former, probation=probation, ended=record.ended, kept=kept[: max(0, keep - 1)])


def rolled_back(record: Record, reason: str) -> Record:
    """The former serves again, and what served is not tried again."""
    blamed = record.serving
    if blamed is None:
        return record
    ended = EndedRequest(blamed.key, "rolled_back", reason, blamed.version)
    former, kept = (record.kept[0], record.kept[1:]) if record.kept else (None, ())
    if record.former is None:
        former, kept = None, record.kept
    return Record(serving=record.former, former=former, probation=None, ended=_with(record.ended, ended), kept=kept)


def without_oldest(record: Record) -> Record | None:
    """One release fewer; None: what is left serves, or is what a roll-back goes to."""
    return msgspec.structs.replace(record, kept=record.kept[:-1]) if record.kept else None


def on_the_device(record: Record, name: str, sha256: str) -> StoredBundle | None:
    """A release that served before and is still here."""
    for held in (record.former, *record.kept):
        if held is not None and (held.name, held.sha256) == (name, sha256):
            return held
    return None


def refused(record: Record, key: str, version: str, reason: str) -> Record:
    """The request ``key`` is not tried again; what serves is not touched."""
    return msgspec.structs.replace(record, ended=_with(record.ended, EndedRequest(key, "rejected", reason, version)))


def passed(record: Record) -> Record:
    """The probation is over."""
    return msgspec.structs.replace(record, probation=None)


def started(record: Record) -> Record:
    """At each start of the module: a release on probation that has ended it too often is taken back."""
    probation = record.probation
    if probation is None:
        return record
    if probation.starts >= STARTS_MAX:
        return rolled_back(record, f"the module was started {probation.starts} times during the probation")
    return msgspec.structs.replace(record, probation=msgspec.structs.replace(probation, starts=probation.starts + 1))


def ending_of(record: Record, key: str) -> EndedRequest | None:
    """How the request ``key`` ended, if it is not to be tried again."""
    return next((one for one in record.ended if one.key == key), None)


def folders_in_use(record: Record) -> set[str]:
    """Everything else in the store may go."""
    return {held.folder for held in (record.serving, record.former, *record.kept) if held is not None}


def _with(ended: tuple[EndedRequest, ...], one: EndedRequest) -> tuple[EndedRequest, ...]:
    return (*(old for old in ended if old.key != one.key), one)[-_REMEMBERED:]
