"""Counts agree with their nouns."""

from __future__ import annotations

import pytest

from vigie.plurals import counted


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "frame", "0 frames"),
        (1, "frame", "1 frame"),
        (2, "frame", "2 frames"),
        (2, "query", "2 queries"),
        (2, "day", "2 days"),
        (3, "box", "3 boxes"),
        (3, "damaged frame", "3 damaged frames"),
    ],
)
def test_a_count_and_its_noun_agree(count: int, noun: str, text: str) -> None:
    assert counted(count, noun) == text
