"""Writer and reader of one ring as processes of their own, killed at random moments; every accepted frame is compared.

Run as a program, because it forks: ``ring_crash.py FOLDER SEED KILLS protected|unprotected``. Prints one JSON object.
The unprotected reader is the control: it checks the sequence before use, as a bare seqlock would, but takes no lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import select
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vigie.drop_reason import DropReason

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.pixels import RandomPixels
from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError
from vigie.frames.reader import RingPool
from vigie.frames.writer import RingWriter

SHAPE = (360, 640, 3)
SLOTS = 4
NAME = "camera-crash"
_RECORD = struct.Struct("<QQI32s12x")  # frame number, sequence, slot, ring: written to the pipe as one piece
_F_SETPIPE_SZ = 1031
DEADLINE_S = 20.0
GOOD, TORN, GONE, ODD, WRITTEN, FULL = b"g", b"t", b"o", b"d", b"w", b"f"


class UnprotectedPool(RingPool):
    def acquire(self, reference: Any) -> np.ndarray:
        ring = self._rings.get(reference.ring) or self._open(reference.ring)
        if ring.sequence(reference.slot) != reference.sequence:
            raise FrameGoneError(reference.ring, DropReason.OVERWRITTEN, "sequence")
        return ring.array(reference.slot, reference.shape, np.dtype("uint8"), int(np.prod(reference.shape)))

    def release(self, reference: Any) -> None:
        pass


def write_frames(folder: Path, pixels: RandomPixels, references_out: int, results_out: int, first: int) -> None:
    with RingWriter.open(folder, NAME, slot_bytes=int(np.prod(SHAPE)), slots=SLOTS) as ring:
        n = first
        while True:
            n += 1
            reference = ring.write(pixels.frame(n))
            if reference is None:
                os.write(results_out, FULL)
                continue
            record = _RECORD.pack(n, reference.sequence, reference.slot, reference.ring.encode())
            with contextlib.suppress(BlockingIOError):
                os.write(references_out, record)
            if n % 16 == 0:
                os.write(results_out, WRITTEN)


def read_frames(pool: RingPool, pixels: RandomPixels, references_in: int, results_out: int) -> None:
    while True:
        select.select([references_in], [], [])
        records = os.read(references_in, 65_536)
        # Most of a full pipe is stale already; the last few race with the writer.
        for at in range(max(0, len(records) - 4 * _RECORD.size), len(records), _RECORD.size):
            n, sequence, slot, ring = _RECORD.unpack_from(records, at)
            reference = RingReference(ring.rstrip(b"\0").decode(), slot, sequence, SHAPE)
            try:
                with pool.lease(reference) as frame:
                    good = np.array_equal(frame, pixels.frame(n))
            except FrameGoneError as error:
                os.write(results_out, GONE if error.reason == "overwritten" else ODD)
            else:
                os.write(results_out, GOOD if good else TORN)


def fork(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(70)
    return pid


def main(folder: Path, seed: int, kills: int, *, protected: bool) -> dict[str, object]:
    chance = random.Random(seed)
    pixels = RandomPixels(SHAPE, seed)
    references_in, references_out = os.pipe()
    results_in, results_out = os.pipe()
    fcntl.fcntl(references_out, _F_SETPIPE_SZ, 4096)
    os.set_blocking(references_out, False)
    counts: Counter[bytes] = Counter()
    inodes: set[int] = set()
    started = 0

    def start_writer() -> int:
        nonlocal started
        started += 1
        first = started * 1_000_000_000
        return fork(lambda: write_frames(folder, pixels, references_out, results_out, first))

    def start_reader() -> int:
        pool_type = RingPool if protected else UnprotectedPool
        return fork(lambda: read_frames(pool_type(folder), pixels, references_in, results_out))

    def wait_for(kind: bytes, more: int) -> None:
        wanted = counts[kind] + more
        deadline = time.monotonic() + DEADLINE_S
        while counts[kind] < wanted:
            if not select.select([results_in], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no {kind!r} in {DEADLINE_S} s; so far {dict(counts)}")
            counts.update(bytes([byte]) for byte in os.read(results_in, 65_536))

    processes = {"writer": start_writer(), "reader": start_reader()}
    killed: Counter[str] = Counter()
    try:
        for _ in range(kills):
            # Both sides must make progress between two kills: a restart that cannot go on fails here.
            wait_for(GOOD, chance.randrange(1, 40))
            wait_for(WRITTEN, 1)
            spin_until = time.perf_counter() + chance.random() * 0.002
            while time.perf_counter() < spin_until:
                pass
            side = chance.choice(("writer", "reader", "both"))
            for name in ("writer", "reader"):
                if side in (name, "both"):
                    os.kill(processes[name], signal.SIGKILL)
                    _, status = os.waitpid(processes[name], 0)
                    assert status == signal.SIGKILL, f"{name} had ended by itself: {status}"
                    processes[name] = start_writer() if name == "writer" else start_reader()
                    killed[name] += 1
            inodes.update(path.stat().st_ino for path in folder.glob("*.ring"))
        wait_for(GOOD, 1)
    finally:
        for pid in processes.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    names = {GOOD: "good", TORN: "torn", GONE: "gone", ODD: "odd_reason", FULL: "ring_full"}
    return {name: counts[kind] for kind, name in names.items()} | {"files": len(inodes), "killed": dict(killed)}


if __name__ == "__main__":
    report = main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), protected=sys.argv[4] == "protected")
    print(json.dumps(report))
