"""Unix sockets in folders with long names: the kernel takes 107 bytes of path, a checkout's may be longer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_socket_path(folder: Path, name: str) -> Iterator[str]:
    """A short path of the socket ``name`` in ``folder``, valid while entered. Raises: OSError: there is no folder."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)
