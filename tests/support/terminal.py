"""Runs a command as a person does: in a terminal of so many columns."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def in_terminal(
    line: str, columns: int, *, cwd: Path, environ: Mapping[str, str], timeout_s: float = 180
) -> tuple[int, str]:
    """Exit code and all that was shown, escapes included."""
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", line], stdin=screen, stdout=screen, stderr=screen, cwd=cwd, env=dict(environ), process_group=0
    )
    os.close(screen)
    shown = bytearray()
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if select.select([keyboard], [], [], 0.2)[0]:
                try:
                    part = os.read(keyboard, 65_536)
                except OSError:
                    break  # the last one who had the terminal open has ended
                if not part:
                    break
                shown += part
            elif process.poll() is not None:
                break
        else:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{line}: not within {timeout_s:.0f} s\n{shown[-2000:].decode(errors='replace')}")
        return process.wait(10), shown.decode(errors="replace")
    finally:
        os.close(keyboard)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def plain_lines(shown: str) -> list[str]:
    """What was shown, without colours and without empty lines."""
    return [line for line in _ESCAPE.sub("", shown).replace("\r", "\n").split("\n") if line]


def too_wide(shown: str, columns: int) -> list[str]:
    """Rows of the live status and of the summary that a terminal of that width would break; not sentences, not JSON."""
    rows = [line for line in plain_lines(shown) if not line.startswith(("vigie:", "{"))]
    return [line for line in rows if len(line) > columns]
