"""Holds what it is told to until it is killed: ``ring_hold.py FOLDER`` with one JSON reference a line on stdin.

``{"write": "name"}`` instead of a reference: opens that ring (one slot of 64 bytes) and stays inside a slot.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from pathlib import Path

import msgspec

from vigie.contracts.pixels import RingReference
from vigie.frames.reader import RingPool
from vigie.frames.writer import RingWriter

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with contextlib.ExitStack() as held:
        pool = held.enter_context(RingPool(folder))
        for line in sys.stdin:
            wanted = json.loads(line)
            if "write" in wanted:
                ring = held.enter_context(RingWriter.open(folder, wanted["write"], slot_bytes=64, slots=1))
                held.enter_context(ring.slot((64,)))
            else:
                held.enter_context(pool.lease(msgspec.convert(wanted, RingReference)))
        print("held", flush=True)
        signal.pause()
