"""Accepted messages on disk: what a kill leaves, what damage costs, what it weighs."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from vigie_edgehub.message import CopyTarget, Message
from vigie_edgehub.store.messages import FILE_NAME, MessageStore


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
        store.put(number, 10, message(number, body), [CopyTarget(endpoint, 5, None) for endpoint in endpoints])
    assert store.flush()


def killed(store: MessageStore) -> None:
    """As kill -9 leaves it: the buffer is lost and no checkpoint is made, so the log beside the file stays."""
    folder = store._file.parent
    held = {path: path.read_bytes() for path in folder.iterdir()}
    store._db.close()
    for path, content in held.items():
        path.write_bytes(content)


def seqs(store: MessageStore) -> list[int]:
    return [seq for seq, _, _ in store.recovered]


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


def test_what_was_not_flushed_is_lost_by_a_kill(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 1)
    store.put(2, 10, message(2), [CopyTarget("b/in", 5, None)])
    killed(store)
    assert seqs(opened(tmp_path)) == [1]


def test_a_settled_message_is_gone_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 2)
    store.settle(1, "b/in")
    store.settle(2, "b/in")
    store.flush()
    killed(store)
    again = opened(tmp_path)
    assert again.recovered == []
    assert again.next_seq == 3
    with pytest.raises(KeyError):
        again.message(1)


@pytest.mark.parametrize("torn_bytes", [1, 40, 2000])
def test_a_torn_tail_costs_the_newest_message_and_is_never_fatal(tmp_path: Path, torn_bytes: int) -> None:
    store = opened(tmp_path)
    for _ in range(5):
        fill(store, 1)
        store.next_seq += 1
    killed(store)
    log = tmp_path / f"{FILE_NAME}-wal"
    log.write_bytes(log.read_bytes()[:-torn_bytes])
    again = opened(tmp_path)
    assert seqs(again) == [1, 2, 3, 4]
    fill(again, 1)
    killed(again)
    assert seqs(opened(tmp_path)) == [1, 2, 3, 4, 5]


def test_a_damaged_message_is_refused_when_it_is_read_and_the_others_are_delivered(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 30, body=b"x" * 2000)
    store.close()
    content = bytearray((tmp_path / FILE_NAME).read_bytes())
    content[content.index(b"x" * 2000) + 50] ^= 0xFF
    (tmp_path / FILE_NAME).write_bytes(content)
    again = opened(tmp_path)
    assert seqs(again) == list(range(1, 31))
    refused = 0
    for seq in seqs(again):
        try:
            assert again.message(seq) == message(seq, b"x" * 2000)
        except ValueError:
            refused += 1
    assert refused == 1


def test_a_file_that_breaks_off_is_set_aside_and_what_still_reads_is_kept(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 200, body=b"x" * 2000)
    store.close()
    file = tmp_path / FILE_NAME
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    again = opened(tmp_path)
    assert seqs(again) == list(range(1, len(seqs(again)) + 1))
    assert len(seqs(again)) < 200
    assert (tmp_path / f"{FILE_NAME}.damaged").exists()
    fill(again, 1)
    again.close()
    assert len(seqs(opened(tmp_path))) == len(seqs(again)) + 1


@pytest.mark.parametrize("seed", range(20))
def test_no_bytes_on_disk_keep_the_hub_from_starting(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    store = opened(tmp_path)
    fill(store, 50, body=b"x" * 500)
    store.close() if seed % 2 else killed(store)
    for path in tmp_path.iterdir():
        content = bytearray(path.read_bytes())
        for _ in range(30):
            if content:
                content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
    again = opened(tmp_path)
    assert seqs(again) == sorted(set(seqs(again)))
    for seq in seqs(again):
        try:
            assert again.message(seq) == message(seq, b"x" * 500)
        except (OSError, ValueError):
            continue  # refused, never handed out changed


@pytest.mark.parametrize("content", [b"something else entirely, no database at all" * 30, b""])
def test_a_file_that_is_not_a_store_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    store = opened(tmp_path)
    assert store.recovered == []
    assert (tmp_path / f"{FILE_NAME}.damaged").exists() is bool(content)
    fill(store, 1)


def test_bodies_beyond_the_memory_bound_are_read_back_from_disk(tmp_path: Path) -> None:
    store = opened(tmp_path, cache_bytes=10_000)
    fill(store, 50, body=b"x" * 1000)
    assert store._cached_bytes <= 10_000
    assert store.message(1).body == b"x" * 1000
    assert store.message(50).body == b"x" * 1000


def test_a_body_beyond_the_memory_bound_is_there_before_it_is_written(tmp_path: Path) -> None:
    store = opened(tmp_path, cache_bytes=1000)
    for number in (1, 2):
        store.put(number, 10, message(number, b"x" * 1000), [CopyTarget("b/in", 5, None)])
    assert store.message(1).body == b"x" * 1000


def test_the_room_of_settled_messages_is_used_again(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number in range(1, 3001):
        store.put(number, 10, message(number, b"x" * 4000), [CopyTarget("b/in", 5, None)])
        store.flush()
        store.settle(number, "b/in")
    store.flush()
    assert store.disk_bytes < 12_000_000
    assert not store._targets
    assert not store._cache


def test_a_backlog_gives_its_room_back_once_it_is_gone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 500, body=b"x" * 40_000)
    for number in range(1, 501):
        store.settle(number, "b/in")
    assert store.flush()
    store.close()
    assert (tmp_path / FILE_NAME).stat().st_size < 1_000_000


def test_a_full_disk_takes_nothing_and_later_takes_all(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 1)
    store._db.execute("PRAGMA max_page_count=1").fetchall()  # what SQLite says of a full disk: SQLITE_FULL
    store.put(2, 10, message(2, b"x" * 100_000), [CopyTarget("b/in", 5, None)])
    store.settle(1, "b/in")
    assert not store.flush()
    assert store.message(2) == message(2, b"x" * 100_000)
    store._db.execute("PRAGMA max_page_count=1000000").fetchall()
    assert store.flush()
    killed(store)
    assert seqs(opened(tmp_path)) == [2]


def test_a_folder_that_cannot_be_written_says_which_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(OSError, match=r"messages\.sqlite: unable to open database file; free the disk or fix its"):
        MessageStore(tmp_path)


def test_the_file_is_a_database_that_tools_can_read(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, 2)
    store.close()
    assert sqlite3.connect(tmp_path / FILE_NAME).execute("SELECT count(*) FROM messages").fetchone() == (2,)


def test_messages_of_an_earlier_version_are_not_read_and_the_log_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "00000001.log").write_bytes(b"VHUBLOG1")
    assert opened(tmp_path).recovered == []
    assert "former_store_ignored" in capsys.readouterr().out
    assert (tmp_path / "00000001.log").exists()
