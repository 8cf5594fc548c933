"""The health check of the hub's container: 0 while modules can connect; ends a hub that no longer answers.

An open port proves nothing: the kernel accepts for a hub that hangs. So the check begins TLS, which the hub's own loop
has to answer. Docker only marks a container as unhealthy and restarts none for that: a hub that answered before and has
not for ``END_AFTER_S`` gets SIGTERM, after ``KILL_AFTER_S`` SIGKILL, and the restart policy does the rest.
Run by path with ``python -I -S`` every few seconds: a few imports, no package.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMEOUT_S = 3.0
# A hub at the limit of its machine answers late, and costs every module its connection when it is ended.
END_AFTER_S, KILL_AFTER_S = 60.0, 90.0
# Answers further apart than this are no row: the machine slept, or nobody asked.
ROW_BREAKS_AFTER_S = 300.0
_STREAK = "health-check.json"


def main(state: str, end_after_s: float = END_AFTER_S, kill_after_s: float = KILL_AFTER_S) -> int:
    """0: it answers; 1: not yet, or no more."""
    hub: dict[str, Any] = {}
    try:
        hub = read(f"{state}/hub.json")
        greet({"0.0.0.0": "127.0.0.1"}.get(hub["listen"], hub["listen"]), int(hub["mqtt_port"]))  # noqa: S104
        bad = ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        bad = f"{error}" or type(error).__name__
        sys.stdout.write(f"not ready: {bad}\n")
    pid = hub.get("pid")
    try:
        before = read(f"{state}/{_STREAK}")
    except (OSError, ValueError, TypeError):
        before = {}
    row = row_after(before, start_of(pid), time.time(), well=not bad)
    if isinstance(pid, int) and (number := due(row, end_after_s, kill_after_s)):
        end(pid, number, row["at"] - row["bad_since"])
        row["ended"] = number
    try:
        with open(f"{state}/.{_STREAK}", "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the time
            json.dump(row, file)
        os.replace(f"{state}/.{_STREAK}", f"{state}/{_STREAK}")  # noqa: PTH105
    except OSError as error:
        sys.stdout.write(f"{_STREAK} cannot be written: {error}\n")
    return 1 if bad else 0


def greet(host: str, port: int) -> None:
    """TLS with the hub there. Raises: OSError: it does not answer within ``TIMEOUT_S``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; whether the hub answers at all is asked
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as plain, context.wrap_socket(plain):
        pass


def row_after(before: dict[str, Any], start: str, now: float, *, well: bool) -> dict[str, Any]:
    """The row of answers of one ``start`` of the hub. ``bad_since``: None until it has once answered well."""
    same = before.get("start") == start and 0 <= now - float(before.get("at", 0.0)) < ROW_BREAKS_AFTER_S
    answered = well or (bool(before.get("answered")) and before.get("start") == start)
    if well or not answered:
        return {"start": start, "at": now, "answered": answered, "bad_since": None, "ended": 0}
    since = before.get("bad_since") if same else None
    return {
        "start": start,
        "at": now,
        "answered": True,
        "bad_since": now if since is None else since,
        "ended": before.get("ended", 0) if same else 0,
    }


def due(row: dict[str, Any], end_after_s: float, kill_after_s: float) -> int:
    """The signal that a hub gets now; 0: none."""
    if row["bad_since"] is None:
        return 0
    bad_s = row["at"] - row["bad_since"]
    if bad_s >= kill_after_s:
        return int(signal.SIGKILL)
    return int(signal.SIGTERM) if bad_s >= end_after_s and not row["ended"] else 0


def end(pid: int, number: int, bad_s: float) -> None:
    """SIGCONT after it: a stopped process takes SIGTERM only once somebody lets it go on."""
    sys.stdout.write(f"ending the hub by {signal.Signals(number).name}: no answer for {bad_s:.0f} s\n")
    try:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
    except OSError as error:
        sys.stdout.write(f"it cannot be ended: {error}\n")


def start_of(pid: object) -> str:
    """``PID TICKS``: in its container the hub may have the same pid at every start. Source: proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return f"{pid} {file.read().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return f"{pid}"


def read(path: str) -> dict[str, Any]:
    """Raises: OSError, ValueError: not valid JSON. TypeError: another JSON."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        told: Any = json.load(file)
    if not isinstance(told, dict):
        raise TypeError(f"{path} is not a JSON object")
    return told


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "/var/lib/vigie/hub"))
