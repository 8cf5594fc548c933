"""A damaged ledger: nothing that is not what was written is sent, and what is sound is saved under new message ids."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger import Ledger
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry

NO_LIMIT = 1 << 40


def entries(seqs: range) -> list[LedgerEntry]:
    bodies = (json.dumps({"trace": f"dock-{n}", "camera": "dock", "seq": n, "pad": "x" * 60}).encode() for n in seqs)
    return [LedgerEntry(f"dock-{n}", "dock", body) for n, body in zip(seqs, bodies, strict=True)]


WRITTEN = {one.body for one in entries(range(80))}


def closed_ledger(folder: Path) -> tuple[Path, str]:
    """80 items: 20 sent, 10 in the batch on its way, 50 waiting; everything in the one file."""
    path = folder / "ledger.db"
    ledger = Ledger(path)
    ledger.record(entries(range(80)), NO_LIMIT)
    ledger.acknowledge(ledger.next_batch("sync", 20, lambda _: 200_000))
    ledger.next_batch("sync", 10, lambda _: 200_000)
    ledger.close()
    return path, ledger.id


def killed_ledger(folder: Path, transactions: int = 12, *, batch: bool = False) -> tuple[Path, str]:
    """A ledger as kill -9 leaves it: all of its commits are in the write-ahead log."""
    path = folder / "ledger.db"
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        ledger = Ledger(path)
        for n in range(transactions):
            ledger.record(entries(range(n, n + 1)), NO_LIMIT)
        if batch:
            ledger.next_batch("sync", 5, lambda _: 200_000)
        os.write(writable, ledger.id.encode())
        signal.pause()
    os.close(writable)
    name = os.read(readable, 100).decode()
    os.close(readable)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return path, name


def everything_sent(folder: Path) -> tuple[list[bytes], str, int]:
    """The items that leave, the ledger they leave under, and how many damaged ledgers were set aside."""
    with LedgerThread(folder) as ledger:
        sent: list[bytes] = []
        for _ in range(200):
            try:
                batch = ledger.next_batch("sync", 7, lambda _: 200_000)
            except LedgerUnavailableError:
                continue
            if batch is None:
                break
            envelope = json.loads(batch.body)
            assert (envelope["boot"], envelope["sent"]) == (batch.ledger, batch.sent)
            sent += [json.dumps(item).encode() for item in envelope["items"]]
            ledger.acknowledge(batch)
        found = ledger.backlog().ledger, ledger.times_set_aside
    ledger._thread.shutdown(wait=True)
    return sent, *found


def test_of_300_single_flipped_bits_none_is_sent_and_what_is_lost_is_told(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    path, former = closed_ledger(tmp_path / "sound")
    sound, noise = path.read_bytes(), random.Random(13)
    sound_bodies = [one.body for one in entries(range(20, 80))]
    saved = []
    for n in range(300):
        folder = tmp_path / str(n)
        folder.mkdir()
        content = bytearray(sound)
        bit = noise.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        (folder / path.name).write_bytes(content)
        sent, name, set_aside = everything_sent(folder)
        assert set(sent) <= WRITTEN, f"bit {bit}: something else was sent"
        assert len(sent) == len(set(sent)), f"bit {bit}: an item was sent twice"
        if sent != sound_bodies:
            assert set_aside == 1, f"bit {bit}: items are missing and nobody was told"
        if set_aside:
            assert name != former, f"bit {bit}: other content under the same message ids"
            saved.append(len(sent))
        shutil.rmtree(folder)
    assert len(saved) > 30, "hardly a flip was noticed: the test proves nothing"
    assert sum(saved) / len(saved) > 40, "most of what is sound has to be saved"


def test_a_zero_length_database_beside_its_log_is_told_and_begins_new_message_ids(tmp_path: Path) -> None:
    path, former = killed_ledger(tmp_path)
    path.write_bytes(b"")
    _, name, set_aside = everything_sent(tmp_path)
    assert (set_aside, name != former) == (1, True)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_log_never_takes_commits_back_under_the_same_message_ids(tmp_path: Path, seed: int) -> None:
    path, former = killed_ledger(tmp_path)
    wal = path.with_name("ledger.db-wal")
    content = bytearray(wal.read_bytes())
    bit = random.Random(seed).randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    wal.write_bytes(content)
    sent, name, set_aside = everything_sent(tmp_path)
    assert set(sent) <= WRITTEN
    # Damage to the last commit cannot be told from a kill in the middle of it.
    if len(sent) < 11:
        assert (set_aside, name != former) == (1, True)


def test_a_batch_that_damage_took_back_does_not_leave_its_message_id_to_other_content(tmp_path: Path) -> None:
    path, former = killed_ledger(tmp_path, batch=True)
    wal = path.with_name("ledger.db-wal")
    content = bytearray(wal.read_bytes())
    content[-100] ^= 1
    wal.write_bytes(content)
    sent, name, set_aside = everything_sent(tmp_path)
    assert (len(sent), set_aside, name != former) == (12, 1, True)


def test_a_killed_ledger_is_sound_and_goes_on_under_its_message_ids(tmp_path: Path) -> None:
    _, former = killed_ledger(tmp_path)
    sent, name, set_aside = everything_sent(tmp_path)
    assert (len(sent), name, set_aside) == (12, former, 0)


def test_damaged_ledgers_are_kept_but_not_without_end(tmp_path: Path) -> None:
    for _ in range(6):
        (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
        assert everything_sent(tmp_path)[2] == 1
    assert len(list(tmp_path.glob("ledger.db.damaged-*"))) == 3
