from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry

NO_LIMIT = 1 << 40


def entries(*seqs: int, size: int = 20) -> list[LedgerEntry]:
    return [LedgerEntry(f"dock-{seq}", "dock", b'{"pad":"%s"}' % (b"x" * size)) for seq in seqs]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerThread]:
    with LedgerThread(tmp_path / "state") as ledger:
        yield ledger


def test_the_state_folder_is_made_on_first_use(ledger: LedgerThread) -> None:
    assert not ledger.path.parent.exists()
    ledger.record(entries(1), NO_LIMIT)
    assert ledger.backlog().items == 1


def use(ledger: LedgerThread, start: int) -> None:
    for n in range(start, start + 10):
        ledger.record(entries(n), NO_LIMIT)
        batch = ledger.next_batch("sync", 100, lambda _: 200_000)
        ledger.acknowledge(batch)


def fill(ledger: LedgerThread) -> tuple[int, str]:
    """Items recorded one by one until one is refused, and why."""
    for n in range(10_000):
        try:
            ledger.record(entries(n, size=2_000), NO_LIMIT)
        except LedgerUnavailableError as error:
            return n, str(error)
    raise AssertionError("never full")


@pytest.mark.parametrize("seed", range(25))
def test_whatever_byte_is_damaged_the_module_goes_on_with_the_old_or_a_new_ledger(tmp_path: Path, seed: int) -> None:
    with LedgerThread(tmp_path) as ledger:
        use(ledger, 0)
        ledger.record(entries(*range(100, 140), size=100), NO_LIMIT)
        ledger.next_batch("sync", 5, lambda _: 200_000)
        path = ledger.path
    ledger._thread.shutdown(wait=True)
    content = bytearray(path.read_bytes())
    noise = random.Random(seed)
    for _ in range(1 + seed * 8):
        content[noise.randrange(len(content))] = noise.randrange(256)
    path.write_bytes(content)
    with LedgerThread(tmp_path) as ledger:
        for attempt in range(3):
            try:
                use(ledger, 1000 + 10 * attempt)
                break
            except LedgerUnavailableError:
                continue
        else:
            raise AssertionError("does not recover")
        assert ledger.times_set_aside == len(ledger.set_aside())


@pytest.mark.parametrize("part", ["header", "middle", "whole"])
def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(tmp_path: Path, part: str) -> None:
    with LedgerThread(tmp_path) as ledger:
        ledger.record(entries(*range(500), size=500), NO_LIMIT)
        former = ledger.backlog().ledger
        path = ledger.path
    ledger._thread.shutdown(wait=True)
    content = bytearray(path.read_bytes())
    assert len(content) > 200_000, "closing brings everything into the one file"
    noise = random.Random(1)
    start, end = {"header": (0, 100), "middle": (4096, 150_000), "whole": (0, len(content))}[part]
    content[start:end] = noise.randbytes(end - start)
    path.write_bytes(content)
    with LedgerThread(tmp_path) as ledger:
        with pytest.raises(LedgerUnavailableError):
            use(ledger, 1000)
        assert ledger.record(entries(1), NO_LIMIT).new == [True]
        assert ledger.backlog().ledger != former, "other content under other message ids"
        [aside] = ledger.set_aside()
        assert (tmp_path / aside).read_bytes()[start:end] == content[start:end], "kept as it was found"
        assert ledger.times_set_aside == 1


def test_a_full_disk_is_an_error_to_try_again_and_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "state"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"this machine does not let root mount a tmpfs: {mount.stderr.strip()}")
    try:
        with LedgerThread(folder) as ledger:
            (folder / "other").write_bytes(b"\0" * 300_000)
            kept, reason = fill(ledger)
            assert "full" in reason
            assert "make room on the disk" in reason
            assert kept > 10
            (folder / "other").unlink()
            # As the module does it: the same items again until they are in.
            ledger.record(entries(kept, size=2_000), NO_LIMIT)
            items = ledger.backlog().items
            assert ledger.record(entries(*range(kept + 1), size=2_000), NO_LIMIT).new == [False] * (kept + 1)
            assert items >= kept + 1
        ledger._thread.shutdown(wait=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_state_folder_that_cannot_be_written_is_an_error_to_try_again(tmp_path: Path, ledger: LedgerThread) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    with pytest.raises(LedgerUnavailableError):
        ledger.record(entries(1), NO_LIMIT)
    (tmp_path / "state").unlink()
    assert ledger.record(entries(1), NO_LIMIT).new == [True]


def test_a_ledger_in_use_by_another_process_is_an_error_to_try_again(tmp_path: Path, ledger: LedgerThread) -> None:
    ledger.record(entries(1), NO_LIMIT)
    with LedgerThread(ledger.path.parent) as second:
        with pytest.raises(LedgerUnavailableError, match="locked"):
            second.record(entries(2), NO_LIMIT)
        ledger.close()
        ledger._thread.shutdown(wait=True)
        assert second.record(entries(1, 2), NO_LIMIT).new == [False, True]


def test_after_closing_callers_are_told_and_not_left_waiting(ledger: LedgerThread) -> None:
    ledger.close()
    with pytest.raises(LedgerUnavailableError, match="stopping"):
        ledger.backlog()
