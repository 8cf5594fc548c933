"""The ledger killed at random moments on a disk that others fill at random: ``full_disk_crash.py FOLDER SEED KILLS``.

``FOLDER`` is a small file system of its own. As ``ledger_crash``, whose cloud and pipe these are; what is different is
that recording may fail, and is tried again as sync does.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from support.ledger_crash import _HEAD, COMMITTED, NO_LIMIT, OVERLAP, SENT, Cloud, read_all
from vigie.errors import LedgerUnavailableError
from vigie.ledger.ledger_thread import LedgerThread
from vigie.ledger.rows import LedgerEntry

FULL_SHARE = 0.5
PAD = "x" * 400


def child(folder: Path, out: int, first: int, chance: random.Random) -> None:
    ledger = LedgerThread(folder)
    n = first
    while True:
        seqs = range(n, n + chance.randrange(1, 4))
        entries = [LedgerEntry(f"dock-{seq}", "dock", json.dumps({"seq": seq, "pad": PAD}).encode()) for seq in seqs]
        try:
            ledger.record(entries, NO_LIMIT)
        except LedgerUnavailableError:
            time.sleep(0.002)  # as sync does: tried again, and not acknowledged to inference before
        else:
            n = seqs[-1] + 1
            os.write(out, _HEAD.pack(COMMITTED, n, 0))
        if chance.random() < 0.5:
            with contextlib.suppress(LedgerUnavailableError):
                batch = ledger.next_batch("sync", chance.randrange(1, 20), lambda _: 6_000)
                if batch is not None:
                    message = batch.message_id.encode() + b"\n" + batch.body
                    os.write(out, _HEAD.pack(SENT, 0, len(message)) + message)
                    ledger.acknowledge(batch)


def fill(folder: Path) -> None:
    """Every byte that is left belongs to somebody else."""
    with (folder / "of-another").open("ab", buffering=0) as file:
        for size in (1 << 16, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def main(folder: Path, seed: int, kills: int) -> dict[str, object]:
    chance = random.Random(seed)
    cloud, committed, filled = Cloud(), 0, 0
    for _ in range(kills):
        source, out = os.pipe()
        first, child_seed = max(0, committed - OVERLAP), chance.random()
        full, full_after_s, full_for_s = chance.random() < FULL_SHARE, chance.random() * 0.05, chance.random() * 0.15
        pid = os.fork()
        if pid == 0:
            try:
                os.close(source)
                child(folder, out, first, random.Random(child_seed))
            finally:
                os._exit(70)
        os.close(out)

        def others(after_s: float = full_after_s, for_s: float = full_for_s) -> None:
            time.sleep(after_s)
            fill(folder)
            time.sleep(for_s)
            (folder / "of-another").unlink()

        neighbour = threading.Thread(target=others)
        if full:
            filled += 1
            neighbour.start()

        def kill(pid: int = pid) -> None:
            os.kill(pid, signal.SIGKILL)

        committed = read_all(source, cloud, chance.randrange(1, 25), kill, committed)
        os.close(source)
        _, status = os.waitpid(pid, 0)
        assert status == signal.SIGKILL, f"ended by itself: {status}"
        if full:
            neighbour.join()
    with LedgerThread(folder) as ledger:
        while (batch := ledger.next_batch("sync", 50, lambda _: 60_000)) is not None:
            cloud.take(batch.message_id.encode() + b"\n" + batch.body)
            ledger.acknowledge(batch)
        aside = ledger.times_set_aside
    seqs = [item["seq"] for body in cloud.messages.values() for item in json.loads(body)["items"]]
    numbers = [int(name.rpartition("-")[2]) for name in cloud.messages]
    return {
        "kills": kills,
        "filled": filled,
        "committed": committed,
        "lost": len(set(range(committed)) - set(seqs)),
        "twice": len(seqs) - len(set(seqs)),
        "out_of_order": sum(later <= earlier for earlier, later in itertools.pairwise(seqs)),
        "gaps_in_numbers": len(numbers) - max(numbers),
        "set_aside": aside,
        "repeated": cloud.repeated,
        "changed": cloud.changed,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
