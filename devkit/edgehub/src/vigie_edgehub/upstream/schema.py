"""The SQLite file that the record lives in: where it is, what is in it, how it is opened.

Reader and writer may be different processes, and the reader may come after the writer died: WAL mode
lets both work at once, and every page that `append` committed is found again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vigie_edgehub.errors import HubStartError, UpstreamUnreadableError

FILE_NAME = "upstream.sqlite"
FORMAT = 1

# `sequence` never falls back after a trim (AUTOINCREMENT): followers rely on it.
# `body` stands last so that trimming reads the small columns without the body's overflow pages.
_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    enqueued_at REAL NOT NULL,
    stored_at REAL NOT NULL,
    size INTEGER NOT NULL,
    module TEXT NOT NULL,
    output TEXT,
    system_properties BLOB NOT NULL,
    properties BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_module ON messages (module, sequence);
CREATE INDEX IF NOT EXISTS by_time ON messages (enqueued_at);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO counters VALUES
    ('bytes', 0), ('messages', 0), ('trimmed_by_size', 0), ('trimmed_by_age', 0), ('duplicates', 0);
CREATE TABLE IF NOT EXISTS clock (
    id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, believed_s REAL NOT NULL, last_s REAL NOT NULL,
    jumped_at_s REAL
);
"""


def record_file(state: Path) -> Path:
    """Return the record's file of the hub whose state folder is ``state``."""
    return state / "upstream" / FILE_NAME


def open_for_writing(file: Path, *, power_safe: bool) -> sqlite3.Connection:
    """Open or create the record. Used by one thread at a time, not always the one that opened it.

    ``power_safe`` syncs the disk at each append; without it an append survives the end of the process in any
    form, and a loss of power may take the last ones, never the order or the file.
    Raises: HubStartError: the file is none of ours, newer than this program, or cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # what modules see is nobody else's
        db = sqlite3.connect(file, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, file, power_safe=power_safe)
        except BaseException:
            db.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise HubStartError(
            f"the upstream record {file} cannot be opened for writing ({error}); "
            f"free the disk, fix its permissions, or move the file away to begin a new record"
        ) from error
    return db


def open_for_reading(file: Path) -> sqlite3.Connection:
    """Open the record beside a running hub or after its end.

    Raises: UpstreamUnreadableError: no such record, or none that this program reads.
    """
    if not file.exists():
        raise UpstreamUnreadableError(file, "there is no such file; start the hub, or name its folder with --state")
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False)
        version = _format_of(db)
    except sqlite3.Error as error:
        raise UpstreamUnreadableError(file, f"it cannot be read ({error})") from error
    if version != FORMAT:
        db.close()
        raise UpstreamUnreadableError(file, f"it has format {version}, this program reads {FORMAT}")
    return db


def _prepare(db: sqlite3.Connection, file: Path, *, power_safe: bool) -> None:
    version = _format_of(db)
    if version > FORMAT:
        raise HubStartError(
            f"{file} was written by a newer Vigie (format {version}, this one knows {FORMAT}); "
            f"use that version, or another state folder"
        )
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={'FULL' if power_safe else 'NORMAL'}")
    db.execute("PRAGMA journal_size_limit=16777216")
    db.executescript("BEGIN IMMEDIATE;" + _TABLES + f"PRAGMA user_version={FORMAT}; COMMIT;")
    db.executescript("PRAGMA incremental_vacuum")  # execute() would free one page


def _format_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
