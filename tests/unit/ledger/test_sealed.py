"""A ledger that is sealed with the device's key: nothing of it is readable, nothing is lost, and no key is guessed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from vigie.errors import LedgerUnavailableError, SealedError
from vigie.ledger import verify
from vigie.ledger.erasure import Erasure
from vigie.ledger.ledger import Ledger
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.packing import Packing
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import ITEMS, LedgerDamagedError, LedgerEntry, row_of
from vigie.ledger.salvage import salvage
from vigie.sealing import MAGIC, Key, Seals

OLD, NEW = Key(bytes(range(32))), Key(bytes(range(1, 33)))
NO_LIMIT = 1 << 40


def entries(*seqs: int, camera: str = "dock", priority: Priority = Priority.DETECTIONS) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            f"{camera}-{n}", camera,
            json.dumps({"seq": n, "camera": camera, "trace": f"{camera}-{n}", "seen": "a person"}).encode(), priority,
        )
        for n in seqs
    ]  # fmt: skip


def drain(ledger: Ledger, most: int = 100) -> list[int]:
    sent: list[int] = []
    while (batch := ledger.next_batch("sync", most, lambda _: 1 << 20, Packing())) is not None:
        sent += [item["seq"] for item in json.loads(batch.json)["items"]]
        ledger.acknowledge(batch)
    return sent


def on_disk(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir() if one.is_file())


@pytest.fixture
def path(tmp_path: Path) -> str:
    return tmp_path / "ledger.db"


def test_nothing_that_was_seen_is_readable_on_the_disk_and_everything_arrives(path: str) -> None:
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(*range(50)), NO_LIMIT)
    assert ledger.next_batch("sync", 10, lambda _: 1 << 20) is not None
    assert b"a person" not in on_disk(path.parent)
    ledger.close()
    again = Ledger(path, seals=Seals((NEW,)))
    verify.verify(again._db)
    assert drain(again) == list(range(50))
    assert all(one.bytes == 0 for one in again.backlog().waiting.values())
    again.close()


def test_without_the_key_or_with_another_the_ledger_is_refused_and_stays_as_it_is(path: str) -> None:
    with LedgerThread(path.parent, seals=Seals((NEW,))) as sealed:
        sealed.record(entries(1, 2, 3), NO_LIMIT)
    for seals in (Seals(), Seals((OLD,))):
        with LedgerThread(path.parent, seals=seals) as without:
            for _ in range(2):
                with pytest.raises(SealedError, match=f"sealed with key {NEW.name}"):
                    without.record(entries(4), NO_LIMIT)
            assert without.set_aside() == []
    with LedgerThread(path.parent, seals=Seals((NEW,))) as back:
        assert drain(back) == [1, 2, 3]


def test_a_batch_alone_asks_for_its_key_too(path: str) -> None:
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(1), NO_LIMIT)
    assert ledger.next_batch("sync", 10, lambda _: 1 << 20) is not None
    ledger.close()
    with pytest.raises(SealedError):
        Ledger(path)


def test_a_key_is_given_and_changed_while_items_wait(path: str) -> None:
    for seals, number in ((Seals(), 1), (Seals((OLD,)), 2), (Seals((NEW, OLD)), 3)):
        ledger = Ledger(path, seals=seals)
        ledger.record(entries(number), NO_LIMIT)
        ledger.close()
    ledger = Ledger(path, seals=Seals((NEW, OLD)))
    assert drain(ledger) == [1, 2, 3]
    ledger.close()
    # What the old key sealed has left: it can go.
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(4), NO_LIMIT)
    assert drain(ledger) == [4]
    ledger.close()


def test_a_sealed_body_in_the_place_of_another_is_damage(path: str) -> None:
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(1, 2), NO_LIMIT)
    ledger.close()
    db = sqlite3.connect(path)

    (one, two) = db.execute(f"{ITEMS} ORDER BY id").fetchall()
    swapped = LedgerEntry(one[1], one[2], two[3], Priority.DETECTIONS)
    db.execute("DELETE FROM items WHERE id = ?", (one[0],))
    db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", row_of(one[0], swapped, one[5]))
    db.commit()
    db.close()
    ledger = Ledger(path, seals=Seals((NEW,)))
    with pytest.raises(LedgerDamagedError, match="not what was sealed"):
        drain(ledger)
    ledger.close()


def test_a_damaged_ledger_is_saved_and_its_items_are_sealed_again(path: str) -> None:
    with LedgerThread(path.parent, seals=Seals((OLD,))) as ledger:
        ledger.record(entries(*range(200)), NO_LIMIT)
    raw = bytearray(path.read_bytes())
    place = raw.index(b"dock-120")
    raw[place : place + 8] = b"dock-!!!"
    path.write_bytes(raw)

    with LedgerThread(path.parent, seals=Seals((NEW, OLD))) as ledger:
        with pytest.raises(LedgerUnavailableError):
            ledger.backlog()
        assert len(ledger.set_aside()) == 1
        saved = drain(ledger)
    assert 190 <= len(saved) < 200
    assert saved == sorted(saved)


def test_what_cannot_be_opened_is_not_taken_for_nothing_when_a_ledger_is_saved(path: str, tmp_path: Path) -> None:

    ledger = Ledger(path, seals=Seals((OLD,)))
    ledger.record(entries(1, 2), NO_LIMIT)
    ledger.close()
    shutil.copyfile(path, tmp_path / "copy")
    with pytest.raises(SealedError):
        salvage(tmp_path / "copy", Seals((NEW,)))
    assert [entry.trace for entry in salvage(tmp_path / "copy", Seals((OLD,)))] == ["dock-1", "dock-2"]


def test_a_sealed_camera_is_erased_by_time_as_a_clear_one(path: str) -> None:
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(1, 2, 3) + entries(4, 5, camera="yard"), NO_LIMIT)
    assert ledger.erase(Erasure(camera="dock")).items.total() == 3
    verify.verify(ledger._db)
    assert drain(ledger) == [4, 5]
    assert all(one.bytes == 0 for one in ledger.backlog().waiting.values())
    ledger.close()


def test_in_a_large_ledger_a_flipped_bit_in_the_name_of_a_key_is_damage_and_asks_for_no_key(path: str) -> None:
    ledger = Ledger(path, seals=Seals((NEW,)))
    ledger.record(entries(1, 2), NO_LIMIT)
    ledger.close()
    db = sqlite3.connect(path)
    number, body = db.execute("SELECT id, body FROM items ORDER BY id LIMIT 1").fetchone()
    flipped = body[: len(MAGIC)] + bytes([body[len(MAGIC)] ^ 4]) + body[len(MAGIC) + 1 :]
    db.execute("UPDATE items SET body = ? WHERE id = ?", (flipped, number))
    db.commit()
    db.close()
    ledger = Ledger(path, seals=Seals((NEW,)), verify_at_once_bytes=0)
    with pytest.raises(LedgerDamagedError, match="not what was written"):
        drain(ledger)
    ledger.close()
