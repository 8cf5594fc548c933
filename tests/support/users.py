"""Work done as another user: a process that imports as root, and then is somebody else for good."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

GROUP = 1250
_BECOME = """
import os, sys
os.setgroups([]); os.setgid({group}); os.setuid({uid}); os.umask({mask})
"""


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("other users are needed, so root is")


def as_user(uid: int, imports: str, code: str, *, mask: int = 0o077) -> str:
    """What ``code`` prints as ``uid`` of the modules' group. ``imports`` run before, as root."""
    whole = imports + _BECOME.format(group=GROUP, uid=uid, mask=mask) + code
    ended = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout.strip()


@contextmanager
def volume(uid: int, mode: int = 0o755) -> Iterator[Path]:
    """A folder that other users reach, owned as a volume that Docker made from an image's folder."""
    with tempfile.TemporaryDirectory(prefix="vigie-volume-") as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "state"
        folder.mkdir()
        os.chown(folder, uid, GROUP)
        folder.chmod(mode)
        yield folder
