"""The log of accepted messages: what a kill leaves, what damage costs, what it weighs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie_edgehub.message import Message, Target
from vigie_edgehub.store.messages import MessageStore
from vigie_edgehub.store.records import MAGIC, scan


def message(number: int, body: bytes | None = None) -> Message:
    return Message(
        key=f"k{number}",
        stored_at=1.5,
        source_module="a",
        output="out",
        kind="Telemetry",
        system={"contentType": "application/json"},
        application={"n": str(number), "ü": "é"},
        body=b"body %d" % number if body is None else body,
    )


def opened(folder: Path, **options: Any) -> MessageStore:
    store = MessageStore(folder, **options)
    store.recovered = store.recover()
    return store


def fill(store: MessageStore, count: int, *, endpoints: tuple[str, ...] = ("b/in",), body: bytes | None = None) -> None:
    for number in range(store.next_seq, store.next_seq + count):
        store.put(number, 10, message(number, body), [Target(endpoint, 5, None) for endpoint in endpoints])
    assert store.flush()


def killed(store: MessageStore) -> None:
    """As kill -9 leaves it: nothing more is written, the descriptors go."""
    store._buffer.clear()
    store.close()


def test_what_was_flushed_is_there_after_a_kill_in_order_with_everything(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 3, endpoints=("b/in", "$upstream"))
    store.settle(2, "b/in")
    store.flush()
    killed(store)
    again = opened(tmp_path)
    assert [(seq, [target.endpoint for target in targets]) for seq, _, targets in again.recovered] == [
        (1, ["b/in", "$upstream"]),
        (2, ["$upstream"]),
        (3, ["b/in", "$upstream"]),
    ]
    assert again.message(2) == message(2)
    assert again.next_seq == 4


def test_a_settled_message_is_gone_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 2)
    store.settle(1, "b/in")
    store.settle(2, "b/in")
    store.flush()
    killed(store)
    again = opened(tmp_path)
    assert again.recovered == []
    with pytest.raises(KeyError):
        again.message(1)


@pytest.mark.parametrize("torn_bytes", [1, 4, 9, 30])
def test_a_torn_tail_is_cut_off_and_never_fatal(tmp_path: Path, torn_bytes: int) -> None:
    store = opened(tmp_path)
    fill(store, 5)
    killed(store)
    file = tmp_path / "00000001.log"
    os.truncate(file, file.stat().st_size - torn_bytes)
    again = opened(tmp_path)
    assert [seq for seq, _, _ in again.recovered] == [1, 2, 3, 4]
    fill(again, 1)
    killed(again)
    assert [seq for seq, _, _ in opened(tmp_path).recovered] == [1, 2, 3, 4, 5]


def test_a_damaged_record_ends_its_segment_and_the_others_are_read(tmp_path: Path) -> None:
    store = opened(tmp_path, segment_bytes=400)
    fill(store, 12)
    files = sorted(tmp_path.glob("*.log"))
    assert len(files) >= 3
    killed(store)
    content = bytearray(files[1].read_bytes())
    content[len(MAGIC) + 20] ^= 0xFF
    files[1].write_bytes(content)
    seqs = [seq for seq, _, _ in opened(tmp_path).recovered]
    assert seqs == sorted(seqs)
    assert 1 in seqs
    assert 12 in seqs
    assert len(seqs) < 12


def test_a_file_that_is_no_log_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "00000001.log").write_bytes(b"something else entirely")
    assert opened(tmp_path).recovered == []
    assert (tmp_path / "00000001.damaged").exists()


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_on_disk_break_the_reading(content: bytes) -> None:
    try:
        found = list(scan(MAGIC + content))
    except ValueError:
        return
    assert all(one.offset + one.length <= len(MAGIC) + len(content) for one in found)


def test_bodies_beyond_the_memory_bound_are_read_back_from_disk(tmp_path: Path) -> None:
    store = opened(tmp_path, cache_bytes=10_000)
    fill(store, 50, body=b"x" * 1000)
    assert store._cached_bytes <= 10_000
    assert store.message(1).body == b"x" * 1000
    assert store.message(50).body == b"x" * 1000


def test_files_of_settled_messages_are_deleted(tmp_path: Path) -> None:
    store = opened(tmp_path, segment_bytes=20_000)
    for number in range(1, 1001):
        store.put(number, 10, message(number, b"x" * 500), [Target("b/in", 5, None)])
        store.flush()
        store.settle(number, "b/in")
    store.flush()
    assert len(list(tmp_path.glob("*.log"))) <= 2
    assert not store._entries
    assert not store._cache


def test_one_message_that_waits_for_ever_does_not_keep_every_later_file(tmp_path: Path) -> None:
    store = opened(tmp_path, segment_bytes=20_000)
    store.put(1, 10, message(1), [Target("away/in", 5, None), Target("b/in", 5, None)])
    store.settle(1, "b/in")
    for number in range(2, 1001):
        store.put(number, 10, message(number, b"x" * 500), [Target("b/in", 5, None)])
        store.flush()
        store.settle(number, "b/in")
    store.flush()
    assert len(list(tmp_path.glob("*.log"))) <= 5
    killed(store)
    again = opened(tmp_path)
    assert [(seq, [target.endpoint for target in targets]) for seq, _, targets in again.recovered] == [(1, ["away/in"])]
    assert again.message(1) == message(1)


def test_a_full_disk_takes_nothing_and_later_takes_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path)
    store.put(1, 10, message(1), [Target("b/in", 5, None)])
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", _no_space)
    assert not store.flush()
    monkeypatch.setattr(os, "pwrite", real)
    assert store.flush()
    killed(store)
    assert [seq for seq, _, _ in opened(tmp_path).recovered] == [1]


def _no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")
