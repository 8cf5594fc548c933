"""What waits to be sent."""

from __future__ import annotations

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
