"""``python -m vigie.open_state [--once] FOLDER...``: opens kept state to the modules' group, for a change of users.

Run as the user that owns the state of devices that were set up before each module had a user of its own (1250), with
the state volumes mounted and nothing else. It goes on until it is stopped: a module of the version before may run for a
moment longer and leave a file behind that only its user can read. Needs no capability: the files are its user's own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from vigie.private_files import open_to_group

EVERY_S = 2.0


def main(words: Sequence[str]) -> int:
    """0: done, or told to stop; 1: a folder cannot be read; 2: no folder given."""
    once, folders = "--once" in words, [Path(word) for word in words if word != "--once"]
    if not folders:
        sys.stderr.write("usage: python -m vigie.open_state [--once] FOLDER...\n")
        return 2
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    while True:
        failed = [folder for folder in folders if not _open(folder)]
        if once:
            return 1 if failed else 0
        if stop.wait(EVERY_S):
            return 0


def _open(folder: Path) -> bool:
    try:
        changed = open_to_group(folder)
    except OSError as error:
        _say("state_not_opened", folder=str(folder), reason=error.strerror, user=os.geteuid())
        return False
    if changed:
        _say("state_opened", folder=str(folder), modes=changed, user=os.geteuid())
    return True


def _say(event: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
