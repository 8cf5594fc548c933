"""A terminal for a session of commands: what a person would type goes in, what he would see comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A shell keeps LINES and COLUMNS of its environment as they were when a command last ended: not those of the next.
_NOT_INHERITED = ("PYTEST", "VIGIE_WALK", "COLUMNS", "LINES")


def plain(shown: str) -> str:
    """Without escapes, any run of blanks and ends of lines as one blank."""
    return re.sub(r"\s+", " ", _ESCAPE.sub("", shown))


class Terminal:
    """A bash in a terminal: commands one after the other, or one that goes on until the end.

    Nothing that was started in it runs afterwards, in whatever process group it is.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        *,
        typed: str | None = None,
        columns: int = 80,
        within_s: float,
        grace_s: float = 25.0,
    ) -> None:
        """``within_s``: for each command; ``grace_s``: for all of them to end after Ctrl-C."""
        self._within_s, self._grace_s = within_s, grace_s
        self._folder, self._typed, self._columns = folder, typed, columns
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)},
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
            "VIGIE_HOME": str(folder / ".vigie"),
            "TERM": "xterm",
            "NO_COLOR": "1",
            **environ,
        }
        self._shown = bytearray()
        self._count = 0
        self._more = threading.Event()
        self._closing = threading.Event()

    def __enter__(self) -> Self:
        self._keyboard, screen = pty.openpty()
        attributes = termios.tcgetattr(screen)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(screen, termios.TCSANOW, attributes)
        self._resize(self._columns)
        # Whoever started the tests in the background had SIGINT ignored, and a shell cannot take that back.
        words = ["env", "--default-signal=INT,QUIT", "bash", "--norc", "--noprofile"]
        if self._typed is not None:
            words += ["-c", self._typed]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE if self._typed is None else screen, stdout=screen, stderr=screen,
            cwd=self._folder, env=self._environ, start_new_session=True,
        )  # fmt: skip
        os.close(screen)
        self._reader = threading.Thread(target=self._read, name="docs-walk.terminal", daemon=True)
        self._reader.start()
        if self._typed is None:
            self._send("set -m")
        return self

    def __exit__(self, *_: object) -> None:
        """As Ctrl-C, then for certain."""
        session = self.session
        jobs = [session, *_children(session)] if self._typed is None else [session]
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        for group in {_group(pid) for pid in jobs} - {None}:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGINT)
        for how in (signal.SIGTERM, signal.SIGKILL):
            if self._ended(session, self._grace_s):
                break
            for pid in members(session):
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        assert self._ended(session, 60), f"not even by SIGKILL: {members(session)}"
        self._closing.set()
        self._reader.join()  # it may not read on under a number that the next terminal gets
        os.close(self._keyboard)

    @property
    def session(self) -> int:
        """Id of the session whose processes are all that was started in it."""
        return self._process.pid

    def _ended(self, session: int, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._process.poll()  # reaped, or it stays a member
            if not members(session):
                return True
            time.sleep(0.05)
        return False

    def run(self, typed: str, columns: int) -> tuple[int, str]:
        """Exit code and what was shown."""
        self._resize(columns)
        self._count += 1
        file = self._folder / f".typed-{self._count}"
        file.write_text(typed + "\n", encoding="utf-8")
        done = f"<ended {self._count}:"
        del self._shown[:]
        # `docker compose exec` refuses a screen without a keyboard; to the others nobody types anything.
        keyboard = "<&1" if typed.startswith("docker ") else "</dev/null"
        self._send(f". ./{file.name} {keyboard}; echo '{done}'$?'>'")
        self._until(re.compile(re.escape(done) + r"\d+>"), typed)
        text = self._shown.decode(errors="replace")
        at = text.index(done)
        return int(text[at + len(done) :].partition(">")[0]), text[:at]

    def wait_for(self, pattern: str) -> None:
        self._until(re.compile(pattern), self._typed or "")

    def _until(self, pattern: re.Pattern[str], typed: str) -> None:
        deadline = time.monotonic() + self._within_s
        while not pattern.search(plain(self._shown.decode(errors="replace"))):
            text = f"{typed}\n{self._shown[-3000:].decode(errors='replace')}"
            assert self._process.poll() is None, f"ended: {text}"
            assert time.monotonic() < deadline, f"not within {self._within_s:.0f} s: {text}"
            self._more.wait(0.5)
            self._more.clear()

    def _read(self) -> None:
        """All that is shown, whether or not anybody waits for it: a terminal that nobody reads holds its program up."""
        while not self._closing.is_set():
            if not select.select([self._keyboard], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(self._keyboard, 65_536)
            except OSError:
                return  # nobody has the terminal open any more
            self._shown += part
            self._more.set()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def _resize(self, columns: int) -> None:
        fcntl.ioctl(self._keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def _children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in found]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def members(session: int) -> list[int]:
    """Processes of a session that have not ended; a zombie has."""
    return [pid for pid in _pids() if _session_of(pid) == session]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _session_of(pid: int) -> int | None:
    try:
        state, _, _, session = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(session)
