"""Keeps each event once, however often it is told: messages in, rows of a SQLite file out, by the key of each.

    ./vigie upstream export | python deploy/cloud/consume.py events.sqlite      a local run, or a file of its lines
    python deploy/cloud/consume.py events.sqlite --eventhub                     IoT Hub's built-in endpoint, for ever

`--eventhub` needs `pip install azure-eventhub`, and the endpoint's connection string in EVENTHUB_CONNECTION.
What a program of yours has to do is `take`: read the envelope, look at the schema, write by the key.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SCHEMA = "vigie.events/"
TABLE = """
CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, at TEXT NOT NULL, device TEXT NOT NULL, camera TEXT NOT NULL,
    type TEXT NOT NULL, phase TEXT NOT NULL, severity TEXT NOT NULL, item TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_time ON events (at);
"""


def opened(path: Path) -> sqlite3.Connection:
    """The file, made where it is missing."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.executescript(TABLE)
    return db


def body_of(body: bytes, encoding: str | None) -> dict[str, Any]:
    """The envelope; sync may have compressed it. Raises: ValueError: it is not one."""
    found = json.loads(gzip.decompress(body) if encoding == "gzip" else body)
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("schema"), str)
        or not isinstance(found.get("items"), list)
    ):
        raise ValueError("no envelope with schema and items")  # noqa: TRY004 - what was read is wrong, not the caller
    return found


def take(db: sqlite3.Connection, device: str, envelope: dict[str, Any]) -> int:
    """Write what is new, in one transaction; so a checkpoint may follow. Returns: how many events were new."""
    if not envelope["schema"].startswith(SCHEMA):
        return 0
    rows = [
        (item["key"], item["at"], device, item["camera"], item["type"], item["phase"], item.get("severity", "event"),
         json.dumps(item, separators=(",", ":")))
        for item in envelope["items"]
    ]  # fmt: skip
    db.execute("BEGIN IMMEDIATE")
    before = db.total_changes
    db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute("COMMIT")
    return db.total_changes - before


def forget(db: sqlite3.Connection, days: float, now: datetime) -> int:
    """Remove events that happened more than so many days before ``now``. Returns: how many."""
    return db.execute("DELETE FROM events WHERE at < ?", ((now - timedelta(days=days)).isoformat(),)).rowcount


def lines(source: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Device and envelope of each line of `./vigie upstream export`. Raises: ValueError."""
    for number, line in enumerate(source, 1):
        message = json.loads(line)
        body, system = message.get("body"), message.get("systemProperties") or {}
        try:
            if isinstance(body, str):
                raw = base64.b64decode(body) if message.get("bodyEncoding") == "base64" else body.encode()
                body = body_of(raw, system.get("content-encoding"))
            else:
                body = body_of(json.dumps(body).encode(), None)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        yield str(system.get("iothub-connection-device-id", "")), body


def from_eventhub(db: sqlite3.Connection, days: float) -> None:
    """Every partition, from the start of what the hub still has; what was taken before is left out."""
    from azure.eventhub import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(os.environ["EVENTHUB_CONNECTION"], consumer_group="$Default")

    def on_event(_partition: Any, event: Any) -> None:
        system = {key.decode(): value for key, value in event.system_properties.items()}
        encoding = system.get("content-encoding", b"")
        device = system.get("iothub-connection-device-id", b"").decode()
        try:
            envelope = body_of(b"".join(event.body), encoding.decode() if isinstance(encoding, bytes) else encoding)
        except (ValueError, OSError) as error:
            sys.stderr.write(f"left out, sequence {event.sequence_number}: {error}\n")
            return
        if take(db, device, envelope):
            forget(db, days, datetime.now(UTC))

    with client:
        client.receive(on_event=on_event, starting_position="-1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="SQLite file of the events, made where it is missing")
    parser.add_argument("--keep-days", type=float, default=365, help="events older than this are removed (default 365)")
    parser.add_argument("--eventhub", action="store_true", help="read IoT Hub's endpoint instead of lines on stdin")
    args = parser.parse_args()
    db = opened(args.file)
    if args.eventhub:
        from_eventhub(db, args.keep_days)
        return 0
    messages = new = 0
    try:
        for device, envelope in lines(sys.stdin):
            messages += 1
            new += take(db, device, envelope)
    except (ValueError, KeyError) as error:
        sys.stderr.write(f"consume: {error}\n")
        return 1
    gone = forget(db, args.keep_days, datetime.now(UTC))
    sys.stdout.write(f"{messages} messages, {new} new events, {gone} removed for their age\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
