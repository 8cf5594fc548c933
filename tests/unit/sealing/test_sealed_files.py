"""Files sealed record by record: whole, cut off, put in another order, with and without the key."""

from __future__ import annotations

import io

import pytest

from vigie.errors import SealedError
from vigie.sealed_files import FILE_MAGIC, opened_chunks, sealed_chunks
from vigie.sealing import BrokenSealError, Key, Seals

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
SEALS = Seals((KEY,))


def sealed(*chunks: bytes, seals: Seals = SEALS) -> bytes:
    return b"".join(sealed_chunks(chunks, "clip/a", seals))


def opened(stored: bytes, seals: Seals = SEALS, about: str = "clip/a") -> bytes:
    return b"".join(opened_chunks(io.BytesIO(stored), about, seals))


@pytest.mark.parametrize("chunks", [(b"",), (b"one",), (b"one", b"two", b"three"), (b"x" * (1 << 20), b"y")])
def test_what_was_sealed_is_opened_with_its_key_and_name(chunks: tuple[bytes, ...]) -> None:
    assert opened(sealed(*chunks)) == b"".join(chunks)
    assert opened(sealed(*chunks), Seals((OTHER, KEY))) == b"".join(chunks)
    with pytest.raises(BrokenSealError):
        opened(sealed(*chunks), about="clip/b")
    with pytest.raises(SealedError):
        opened(sealed(*chunks), Seals((OTHER,)))


def test_a_file_in_the_clear_is_read_as_it_is_also_by_who_has_a_key() -> None:
    assert sealed(b"one", b"two", seals=Seals()) == b"onetwo"
    assert opened(b"onetwo") == b"onetwo"
    assert opened(b"") == b""


def test_nothing_of_a_file_that_was_cut_anywhere_passes_for_the_whole() -> None:
    stored = sealed(b"one", b"two", b"three")
    for end in range(len(FILE_MAGIC), len(stored)):
        with pytest.raises(BrokenSealError):
            opened(stored[:end])


def test_records_that_change_places_or_bytes_are_refused() -> None:
    stored = sealed(b"one", b"two", b"xxx")
    record = (len(stored) - len(FILE_MAGIC)) // 3
    begin = len(FILE_MAGIC)
    first, second, third = (stored[begin + record * n : begin + record * (n + 1)] for n in range(3))
    for mixed in (second + first + third, first + third, first + first + third, first + second + third + third):
        with pytest.raises(BrokenSealError):
            opened(FILE_MAGIC + mixed)
    for place in range(begin, len(stored), 7):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises((BrokenSealError, SealedError)):
            opened(bytes(changed))
