"""What a process holds open, by kind: files by name, sockets by protocol and state, threads by name. Linux only."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_NUMBERS = re.compile(r"[0-9a-f]*\d[0-9a-f]*")
# Source: include/net/tcp_states.h.
_TCP_STATES = dict(
    enumerate(
        ("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
         "LAST_ACK", "LISTEN", "CLOSING"),
        start=1,
    )
)  # fmt: skip


def handle_kinds(pid: int, proc: Path = Path("/proc")) -> Counter[str]:
    """Open descriptors of ``pid``; numbers within names are left out, so that files of one kind are counted together.

    Raises: OSError: the process has ended.
    """
    targets = []
    for descriptor in (proc / str(pid) / "fd").iterdir():
        try:
            targets.append(descriptor.readlink().as_posix())
        except FileNotFoundError:
            continue  # closed between listing and looking
    sockets = _sockets(pid, proc) if any(one.startswith("socket:") for one in targets) else {}
    return Counter(_kind(target, sockets) for target in targets)


def thread_names(pid: int, proc: Path = Path("/proc")) -> Counter[str]:
    """Threads of ``pid`` by their name, without numbers. A thread that nobody named bears the name of its creator.

    Raises: OSError: the process has ended.
    """
    names: Counter[str] = Counter()
    for task in (proc / str(pid) / "task").iterdir():
        try:
            names[_NUMBERS.sub("N", (task / "comm").read_text(encoding="utf-8", errors="replace").strip())] += 1
        except (FileNotFoundError, ProcessLookupError):
            continue
    return names


def _kind(target: str, sockets: Mapping[str, str]) -> str:
    if target.startswith("socket:["):
        return sockets.get(target[8:-1], "socket without a connection")
    if target.startswith("pipe:["):
        return "pipe"
    if target.startswith("/"):
        return _NUMBERS.sub("N", os.path.join(*Path(target).parts[-2:]))  # noqa: PTH118 - parts of a path as text
    return target


def _sockets(pid: int, proc: Path) -> dict[str, str]:
    """Kind by inode. Source: proc_net(5)."""
    found = {}
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for columns in _rows(proc / str(pid) / "net" / protocol):
            state = _TCP_STATES.get(int(columns[3], 16), "") if protocol.startswith("tcp") else ""
            found[columns[9]] = f"{protocol} {state}".strip()
    for columns in _rows(proc / str(pid) / "net" / "unix"):
        found[columns[6]] = f"unix {_NUMBERS.sub('N', Path(columns[7]).name) if len(columns) > 7 else 'unnamed'}"
    return found


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text(encoding="utf-8", errors="replace").splitlines()[1:]]
    except OSError:
        return []  # this kernel lacks the protocol
