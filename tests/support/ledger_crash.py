"""Sync's ledger in a process that is killed at random moments: ``ledger_crash.py FOLDER SEED KILLS``, prints JSON.

The child commits items, says so, makes batches, "sends" them and acknowledges. The parent is inference and cloud: it
counts what was committed and keeps what arrived. A message counts as arrived only when it came whole.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import select
import signal
import struct
import sys
import time
from pathlib import Path

from vigie.ledger.ledger import Ledger
from vigie.ledger.rows import LedgerEntry

_HEAD = struct.Struct("<cQI")
COMMITTED, SENT = b"c", b"s"
NO_LIMIT = 1 << 40
# Each start sends these many items again that were committed before, as a hub does after a broken connection.
OVERLAP = 7
SLOW_ACKNOWLEDGEMENT_S = 0.005


def child(path: Path, out: int, first: int, chance: random.Random) -> None:
    ledger = Ledger(path)
    n = first
    while True:
        seqs = range(n, n + chance.randrange(1, 4))
        entries = [LedgerEntry(f"dock-{seq}", "dock", json.dumps({"seq": seq}).encode()) for seq in seqs]
        ledger.record(entries, NO_LIMIT)
        n = seqs[-1] + 1
        os.write(out, _HEAD.pack(COMMITTED, n, 0))
        if chance.random() < 0.5:
            batch = ledger.next_batch("sync", chance.randrange(1, 20), lambda _: 2_000)
            if batch is not None:
                message = batch.message_id.encode() + b"\n" + batch.body
                os.write(out, _HEAD.pack(SENT, 0, len(message)) + message)
                if chance.random() < 0.5:
                    time.sleep(SLOW_ACKNOWLEDGEMENT_S)  # a cloud takes its time: a kill must fall in between
                ledger.acknowledge(batch)


class Cloud:
    """What arrived, by message id, in order of first arrival."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}
        self.repeated = 0
        self.changed = 0

    def take(self, message: bytes) -> None:
        name, _, body = message.partition(b"\n")
        former = self.messages.setdefault(name.decode(), body)
        if former is not body:
            self.repeated += 1
            self.changed += former != body


def read_all(source: int, cloud: Cloud, kill_after: int, kill: object, committed: int) -> int:
    """Read until the child is dead; kill it after ``kill_after`` reports. Returns the highest committed item + 1."""
    buffer, reports, killed = b"", 0, False
    deadline = time.monotonic() + 20
    while True:
        if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError("the ledger's process does nothing")
        piece = os.read(source, 65_536)
        if not piece:
            return committed
        buffer += piece
        while len(buffer) >= _HEAD.size:
            kind, number, length = _HEAD.unpack_from(buffer)
            if len(buffer) < _HEAD.size + length:
                break
            if kind == COMMITTED:
                committed = max(committed, number)
            else:
                cloud.take(buffer[_HEAD.size : _HEAD.size + length])
            buffer = buffer[_HEAD.size + length :]
            reports += 1
        if reports >= kill_after and not killed:
            killed = True
            kill()


def main(folder: Path, seed: int, kills: int) -> dict[str, object]:
    chance = random.Random(seed)
    path = folder / "ledger.db"
    cloud, committed = Cloud(), 0
    for _ in range(kills):
        source, out = os.pipe()
        first, child_seed = max(0, committed - OVERLAP), chance.random()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(source)
                child(path, out, first, random.Random(child_seed))
            finally:
                os._exit(70)
        os.close(out)

        def kill(pid: int = pid) -> None:
            until = time.perf_counter() + chance.random() * 0.001
            while time.perf_counter() < until:
                pass
            os.kill(pid, signal.SIGKILL)

        committed = read_all(source, cloud, chance.randrange(1, 25), kill, committed)
        os.close(source)
        _, status = os.waitpid(pid, 0)
        assert status == signal.SIGKILL, f"ended by itself: {status}"
    ledger = Ledger(path)
    while (batch := ledger.next_batch("sync", 50, lambda _: 2_000)) is not None:
        cloud.take(batch.message_id.encode() + b"\n" + batch.body)
        ledger.acknowledge(batch)
    ledger.close()
    seqs = [item["seq"] for body in cloud.messages.values() for item in json.loads(body)["items"]]
    numbers = [int(name.rpartition("-")[2]) for name in cloud.messages]
    return {
        "committed": committed,
        "lost": len(set(range(committed)) - set(seqs)),
        "twice": len(seqs) - len(set(seqs)),
        "out_of_order": sum(later <= earlier for earlier, later in itertools.pairwise(seqs)),
        "gaps_in_numbers": len(numbers) - max(numbers),
        "messages": len(cloud.messages),
        "repeated": cloud.repeated,
        "changed": cloud.changed,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
