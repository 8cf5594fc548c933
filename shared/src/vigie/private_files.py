"""What a process of Vigie writes is its user's alone: twins, ledger, logs and pictures are nobody else's business."""

from __future__ import annotations

import os


def keep_files_private() -> None:
    """From here on, new files are 0600 and folders 0700, in child processes too; call it before the first is made.

    Files that another user of the same group must read, such as rings, set their mode themselves.
    """
    os.umask(0o077)
