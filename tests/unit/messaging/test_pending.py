"""What waits to be sent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie.messaging.pending import Pending


def encode(item: str) -> bytes:
    return item.encode()


def items(pending: Pending[str], limit: int = 1000) -> list[str]:
    return [waiting.item for waiting in pending.take(limit, encode)[0]]


def test_the_newest_of_a_key_replaces_the_older_one() -> None:
    pending: Pending[str] = Pending()
    assert pending.offer("a1", "a", keep=False) is None
    dropped = pending.offer("a2", "a", keep=False)
    assert dropped is not None
    assert dropped.item == "a1"
    assert items(pending) == ["a2"]


def test_an_item_to_keep_is_never_replaced() -> None:
    pending: Pending[str] = Pending()
    pending.offer("a1", "a", keep=True)
    assert pending.offer("a2", "a", keep=True) is None
    assert pending.offer("a3", "a", keep=False) is None
    assert items(pending) == ["a1", "a2", "a3"]


def test_keys_take_turns() -> None:
    pending: Pending[str] = Pending()
    for item in ("a1", "a2", "a3", "b1", "c1"):
        pending.offer(item, item[0], keep=True)
    assert items(pending) == ["a1", "b1", "c1", "a2", "a3"]


def test_a_key_cut_off_by_the_limit_comes_first_next_time() -> None:
    pending: Pending[str] = Pending()
    for item in ("a1", "a2", "b1", "c1"):
        pending.offer(item, item[0], keep=True)
    assert items(pending, limit=6) == ["a1", "b1"]
    assert items(pending) == ["c1", "a2"]
    assert len(pending) == 0


def test_an_item_above_the_limit_is_given_back_and_stops_nobody() -> None:
    pending: Pending[str] = Pending()
    pending.offer("x" * 50, "a", keep=True)
    pending.offer("b1", "b", keep=True)
    taken, too_large = pending.take(10, encode)
    assert [waiting.item for waiting in taken] == ["b1"]
    assert [waiting.key for waiting in too_large] == ["a"]
    assert len(pending) == 0


def test_nothing_waits_nothing_is_taken() -> None:
    assert Pending[str]().take(10, encode) == ([], [])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.integers(10, 60))
def test_everything_to_keep_comes_out_once_in_order_of_its_key(offers: list[tuple[str, bool]], limit: int) -> None:
    pending: Pending[str] = Pending()
    kept: dict[str, list[str]] = {}
    for number, (key, keep) in enumerate(offers):
        item = f"{key}{number:03}"
        pending.offer(item, key, keep=keep)
        if keep:
            kept.setdefault(key, []).append(item)
    out: list[str] = []
    while len(pending):
        message = items(pending, limit)
        assert sum(len(item) + 1 for item in message) <= limit
        out.extend(message)
    for key, expected in kept.items():
        assert [item for item in out if item in expected and item[0] == key] == expected
    assert len(out) == len(set(out))


def test_what_may_be_replaced_stays_where_it_can_be_and_its_key_is_next() -> None:
    pending = Pending[str]()
    for key in ("a", "b", "c"):
        pending.offer(f"{key}1", key, keep=False)
    assert [waiting.item for waiting in pending.take(1000, encode, 2)[0]] == ["a1", "b1"]
    pending.offer("a2", "a", keep=False)
    pending.offer("c2", "c", keep=False)
    assert [waiting.item for waiting in pending.take(1000, encode, 1)[0]] == ["c2"]


def test_what_must_be_kept_goes_along_whatever_the_limit_of_newest_is() -> None:
    pending = Pending[str](depth=9)
    for number in range(4):
        pending.offer(str(number), "a", keep=True)
    assert len(pending.take(1000, encode, 1)[0]) == 4


def shares(
    weights: dict[str, float], rounds: int, *, most: int = 1, absent: tuple[str, range] | None = None
) -> Counter[str]:
    """Who is sent how often where everybody always has a newest item waiting and ``most`` fit into a message."""
    pending = Pending[str]()
    sent: Counter[str] = Counter()
    for number in range(rounds):
        for key, weight in weights.items():
            if absent is None or key != absent[0] or number not in absent[1]:
                pending.offer(f"{key}{number}", key, keep=False, weight=weight)
        sent.update(waiting.key for waiting in pending.take(1000, encode, most)[0])
    return sent


@pytest.mark.parametrize("most", [1, 2])
def test_keys_get_shares_by_their_weights_and_the_lightest_does_not_starve(most: int) -> None:
    sent = shares({"a": 4, "b": 2, "c": 1, "d": 1}, 400, most=most)
    assert [sent[key] / sent.total() for key in "abcd"] == pytest.approx([0.5, 0.25, 0.125, 0.125], abs=0.02)
    assert shares({"a": 10, "b": 0.1}, 1010)["b"] == pytest.approx(10, abs=1)


def test_equal_weights_are_equal_shares() -> None:
    sent = shares({"a": 2, "b": 2, "c": 2}, 300)
    assert set(sent.values()) == {100}


def test_who_was_away_has_saved_up_no_turns() -> None:
    sent = shares({"a": 2, "b": 1}, 300, absent=("b", range(200)))
    assert sent["b"] == pytest.approx(100 / 3, abs=2)


def test_what_must_be_kept_of_a_light_key_comes_out_in_order() -> None:
    pending = Pending[str]()
    for number in range(5):
        pending.offer(f"a{number}", "a", keep=True, weight=0.1)
        pending.offer(f"b{number}", "b", keep=True, weight=5)
    out = items(pending)
    assert [one for one in out if one[0] == "a"] == [f"a{number}" for number in range(5)]
    assert out[:6] == ["a0", "b0", "b1", "b2", "b3", "b4"]
