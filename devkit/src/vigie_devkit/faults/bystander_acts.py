"""What the bystander does inside its container: a program run by ``-c``, with the hub's reader and nothing else."""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

FILLER = ".filled-by-another"


def main(verb: str, *words: str) -> None:
    if verb == "signal":
        os.kill(int(words[0]), int(words[1]))
    elif verb == "fill":
        fill(Path(words[0]), int(words[1]))
    elif verb == "free":
        (Path(words[0]) / FILLER).unlink(missing_ok=True)
    elif verb == "ledger":
        sys.stdout.write(json.dumps(recorded(Path(words[0]))))
    elif verb == "follow":
        threading.Thread(target=_end_with_stdin, daemon=True).start()
        follow(Path(words[0]))
    else:
        sys.exit(f"unknown: {verb}")


def fill(folder: Path, leave: int = 0) -> Path:
    """Take every byte that is left there but ``leave``. Returns: the file that holds them."""
    path = folder / FILLER
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while room(folder) - size >= leave:
                    file.write(b"\0" * size)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
    return path


def room(folder: Path) -> int:
    """Bytes that are free there."""
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize


def recorded(folder: Path) -> list[str]:
    """Traces of the items in the ledger there, which nobody has open. Read from a copy: SQLite would leave files."""
    with tempfile.TemporaryDirectory() as copy:
        for path in folder.glob("ledger.db*"):
            shutil.copyfile(path, Path(copy) / path.name)
        ledger = sqlite3.connect(Path(copy) / "ledger.db")
        try:
            return [str(trace) for (trace,) in ledger.execute("SELECT trace FROM items")]
        finally:
            ledger.close()


def follow(state: Path) -> None:
    """Print each message upstream as a JSON line: sequence number, module, body in base64. Never ends."""
    from vigie_edgehub.upstream import UpstreamReader, record_file

    after = 0
    while True:
        try:
            with UpstreamReader(record_file(state)) as reader:
                for record in reader.follow(after=after):
                    after = record.sequence_number
                    line = [after, record.module, base64.b64encode(record.body_bytes()).decode()]
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
        except Exception:  # the hub makes the record when it first starts, and may be just doing so
            time.sleep(0.2)


def _end_with_stdin() -> None:
    """Whoever started this holds its stdin open as long as it lives."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
