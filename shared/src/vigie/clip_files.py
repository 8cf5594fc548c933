"""Reads clips that the camera module left on the disk, in the clear or sealed with the device's key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from vigie.contracts.clips import CLIP_SUFFIX, FACTS_SUFFIX, ClipFacts
from vigie.sealed_files import opened_chunks
from vigie.sealing import BrokenSealError, Seals

_FACTS_BYTES_MAX = 1 << 16


def about_clip(file: str) -> str:
    """What a clip's content is bound to: its name."""
    return f"clip/{file}"


def about_facts(file: str) -> str:
    """What the facts of the clip ``file`` are bound to."""
    return f"clip-facts/{file}"


def whole_clips(folder: Path) -> list[Path]:
    """Clips whose facts are there, so that they are whole; oldest name first."""
    return sorted(path for path in folder.glob(f"*{CLIP_SUFFIX}") if path.with_suffix(FACTS_SUFFIX).exists())


def read_facts(clip: Path, seals: Seals) -> ClipFacts:
    """Raises: SealedError: the key is not here. BrokenSealError: not what the camera wrote. OSError: it has gone."""
    with clip.with_suffix(FACTS_SUFFIX).open("rb") as file:
        stored = file.read(_FACTS_BYTES_MAX)
    try:
        return msgspec.json.decode(seals.open(stored, about_facts(clip.name)), type=ClipFacts)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenSealError(f"the facts of {clip.name} cannot be read ({error})") from error


def clip_chunks(clip: Path, seals: Seals) -> Iterator[bytes]:
    """The clip's bytes, piece by piece: those that ``ClipFacts.sha256`` is of. Raises: as ``read_facts``."""
    with clip.open("rb") as file:
        yield from opened_chunks(file, about_clip(clip.name), seals)
