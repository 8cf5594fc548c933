"""A long backlog in sync's ledger: memory, start, drain with and without a rate, what a new alert waits; fsync's cost.

``python -m vigie_devkit.bench.backlog [--items N --folder DIR]``. The ledger as sync uses it, on a real disk; what is
sent is thrown away, so the figures are of the ledger and not of a hub.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from vigie.ledger.bounds import LedgerRules
from vigie.ledger.ledger import Ledger
from vigie.ledger.packing import Packing, pieces
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerEntry
from vigie_devkit.local.footprint import resident_bytes

_STEP = 1000
_LIMIT = 1 << 40
_BODY_BYTES = 240_000
_COMMITS = 500
_CAP_S = 10.0


def event(n: int, severity: str = "event") -> LedgerEntry:
    """As large as an object's end with a short path."""
    key = f"event/0123abcd-{n}/end/dock-0123abcd-{n}"
    item = {
        "type": "object", "key": key, "id": f"0123abcd-{n}", "phase": "end", "severity": severity, "camera": "dock",
        "trace": f"dock-0123abcd-{n}", "at": "2026-11-28T10:00:00.000000Z", "started_at": "2026-11-28T10:00:00.000000Z",
        "seconds": 12.345, "label": "person", "score": 0.8765, "frame_hw": [720, 1280],
        "path": [[0.123, 0.456], [0.234, 0.567], [0.345, 0.678], [0.456, 0.789]],
    }  # fmt: skip
    return LedgerEntry(
        key, "dock", msgspec.json.encode(item), Priority.ALERT if severity == "alert" else Priority.EVENT
    )


def rss_mb() -> float:
    """Resident memory of this process."""
    return (resident_bytes(os.getpid()) or 0) / (1 << 20)


def fill(folder: Path, items: int) -> dict[str, Any]:
    ledger = Ledger(folder / "ledger.db")
    before, begun = rss_mb(), time.perf_counter()
    for first in range(0, items, _STEP):
        ledger.record([event(n) for n in range(first, min(items, first + _STEP))], _LIMIT)
    took = time.perf_counter() - begun
    found = {"items": items, "recorded_per_s": round(items / took), "rss_mb_empty": before, "rss_mb_full": rss_mb()}
    ledger.close()
    return found | {"disk_mb": round((folder / "ledger.db").stat().st_size / 1e6)}


def start(folder: Path) -> dict[str, Any]:
    """In a process of its own: as a restart of the module."""
    begun = time.perf_counter()
    ledger = Ledger(folder / "ledger.db")
    opened = time.perf_counter() - begun
    batch = ledger.next_batch("sync", _STEP, lambda _: _BODY_BYTES)
    first = time.perf_counter() - begun
    if batch is not None:
        ledger.acknowledge(batch)
    begun = time.perf_counter()
    ledger.record([event(10**9 + os.getpid(), "alert")], _LIMIT)
    alert = ledger.next_batch("sync", _STEP, lambda _: _BODY_BYTES, Packing((Priority.ALERT,), overhead_bytes=300))
    waited = time.perf_counter() - begun
    if alert is None or b'"severity":"alert"' not in alert.body:
        raise SystemExit("the alert does not go first")
    ledger.acknowledge(alert)
    ledger.close()
    return {
        "open_s": round(opened, 3), "first_message_s": round(first, 3), "alert_ms": round(waited * 1e3, 1),
        "alert_bytes": len(alert.body), "rss_mb": rss_mb(),
    }  # fmt: skip


def drain(folder: Path, most: int, seconds: float, per_second: int | None) -> dict[str, Any]:
    """For ``seconds``. ``per_second``: a rate in bytes, as sync's ``sending.bytes_per_second`` has it."""
    ledger = Ledger(folder / "ledger.db")
    items = size = billed = messages = 0
    begun = time.perf_counter()
    packing = Packing(bytes_max=per_second, overhead_bytes=300)
    while (now := time.perf_counter() - begun) < seconds:
        if per_second is not None and (ahead := size / per_second - now) > 0:
            time.sleep(ahead)
            continue
        batch = ledger.next_batch("sync", most, lambda _: _BODY_BYTES, packing)
        if batch is None:
            break
        ledger.acknowledge(batch)
        items += batch.items
        messages += 1
        size += len(batch.body) + 300
        billed += pieces(len(batch.body) + 300)
    took = time.perf_counter() - begun
    ledger.close()
    return {
        "items_per_message": most, "items_per_s": round(items / took), "messages": messages,
        "kb_per_s": round(size / took / 1e3, 1), "share_of_pieces_used": round(size / max(1, billed * 4096), 3),
        "rss_mb": rss_mb(),
    }  # fmt: skip


def durability(folder: Path) -> dict[str, Any]:
    """Milliseconds per commit of one item, and of ten."""
    found: dict[str, Any] = {}
    for named in ("process_crash", "power_loss"):
        for together in (1, 10):
            place = folder / f"{named}-{together}"
            place.mkdir()
            ledger = Ledger(place / "ledger.db")
            ledger.configure(LedgerRules(durability=named))
            times = []
            for n in range(_COMMITS):
                entries = [event(n * together + one) for one in range(together)]
                begun = time.perf_counter()
                ledger.record(entries, _LIMIT)
                times.append(time.perf_counter() - begun)
            ledger.close()
            times.sort()
            found[f"{named}, {together} per commit"] = {
                "p50_ms": round(times[len(times) // 2] * 1e3, 3), "p99_ms": round(times[-len(times) // 100] * 1e3, 3),
            }  # fmt: skip
    return found


def apart(folder: Path, what: str, *args: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "vigie_devkit.bench.backlog", "--folder", str(folder), "--part", what, *args]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def main() -> int:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; default: the current one")
    parser.add_argument("--part", choices=["fill", "start", "drain", "capped", "durability"], help=argparse.SUPPRESS)
    parser.add_argument("--most", type=int, default=1000, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part is not None:
        folder = args.folder
        parts = {
            "fill": lambda: fill(folder, args.items),
            "start": lambda: start(folder),
            "drain": lambda: drain(folder, args.most, 30.0, None),
            "capped": lambda: drain(folder, args.most, _CAP_S, 100_000),
            "durability": lambda: durability(folder),
        }
        print(json.dumps(parts[args.part]()))
        return 0
    with tempfile.TemporaryDirectory(dir=args.folder or Path.cwd(), prefix="backlog-") as name:
        folder = Path(name)
        print("fill", apart(folder, "fill", "--items", str(args.items)), flush=True)
        print("start", apart(folder, "start"), flush=True)
        print("start again", apart(folder, "start"), flush=True)
        print("rate of 100 kB/s", apart(folder, "capped"), flush=True)
        for most in ("50", "1000"):
            print("drain", apart(folder, "drain", "--most", most), flush=True)
        for what, cost in apart(folder, "durability").items():
            print(what, cost)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
