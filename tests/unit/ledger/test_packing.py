"""Messages in pieces of 4,096 bytes: pure arithmetic."""

from __future__ import annotations

import random

import pytest

from vigie.ledger.packing import PIECE_BYTES, fitting, message_bytes, pieces

ROOM = 250_000


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (8192, 2), (262_144, 64)])
def test_a_message_is_billed_in_whole_pieces(size: int, expected: int) -> None:
    assert pieces(size) == expected


def test_the_size_of_a_message_counts_names_and_values_of_properties_and_values_of_system_properties() -> None:
    assert message_bytes(100, {"camera": "dock"}, "id-1", "utf-8") == 100 + 10 + 4 + len("application/json") + 5


@pytest.mark.parametrize(
    ("sizes", "more", "expected"),
    [([500] * 4, False, 4), ([500] * 20, False, 20), ([500] * 20, True, 15), ([500] * 5, True, 5), ([4_090] * 2, True, 2)],  # noqa: E501
    ids=[
        "all that waits", "all, the last piece in part", "more waits: whole pieces",
        "less than a piece goes all the same", "one item less would use its pieces worse",
    ],
)  # fmt: skip
def test_how_many_go(sizes: list[int], more: bool, expected: int) -> None:
    assert fitting(sizes, ROOM, 400, more=more) == expected


@pytest.mark.parametrize("seed", range(50))
def test_whatever_waits_a_message_fits_and_while_more_waits_wastes_less_than_an_item(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randrange(100, 3_000) for _ in range(chance.randrange(1, 300))]
    room = chance.randrange(4_000, 100_000)
    count = fitting(sizes, room, 400, more=False)
    size = 400 + sum(sizes[:count]) + count - 1
    assert count == 1 or size <= 400 + room
    if count < len(sizes) and size > 3 * PIECE_BYTES:
        assert -size % PIECE_BYTES <= 3_001
