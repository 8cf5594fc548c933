"""The health check of a module's container: asks the module's own /healthz, and ends a module that stays stalled.

Docker only marks a container as unhealthy; neither it nor edgeAgent restarts one for that. So this check does: after
``TRIES`` bad answers in a row the module gets SIGTERM with the reason in its state folder, and the restart policy does
the rest. Only a module that has answered well before is ended: a start may take its time.
Run by path with ``python -I -S`` every 30 s on small devices: a few imports, no package, some 15 ms.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Docker's own limit is 10 s, of which starting the check took more than 2 on a machine at its limit. A check that
# Docker ends counts in no row, so a module that hangs there would never be ended.
TIMEOUT_S = 3.0
# With Docker's interval of 30 s: a minute past the module's own limits, which are 30 s and more.
TRIES = 3
# Answers further apart than this are no row: the machine slept, or nobody asked.
ROW_BREAKS_AFTER_S = 300.0
_STREAK, _RESTARTS = "health-check.json", "health-restarts.json"


def main(state: str) -> int:
    """0: the module makes progress; 1: it does not, does not answer, or has not begun to."""
    endpoint: dict[str, Any] = {}
    try:
        endpoint = find(state)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint["host"], endpoint["host"])  # noqa: S104
        status, body = ask(host, endpoint["port"])
        verdict = f"{status} {body}"
        well = status == 200
    except (OSError, ValueError, KeyError, TypeError) as error:
        verdict, well = f"no answer: {error}", False
    sys.stdout.write(f"{verdict}\n")
    pid = endpoint.get("pid")
    streak = bad_in_a_row(read(state, _STREAK), start_of(pid), time.time(), well=well)
    if streak["bad"] >= TRIES and isinstance(pid, int):
        end(state, pid, verdict)
        streak["bad"] = 0  # what does not end is told again after as many more
    write(state, _STREAK, streak)
    return 0 if well else 1


def start_of(pid: object) -> str:
    """``PID TICKS``: in its container a module has the same pid at every start. Source: proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return f"{pid} {file.read().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return f"{pid}"


def bad_in_a_row(before: dict[str, Any], start: str, now: float, *, well: bool) -> dict[str, Any]:
    """The row of bad answers of one ``start`` of the module, which counts from its first good one on."""
    same = before.get("start") == start and 0 <= now - float(before.get("at", 0.0)) < ROW_BREAKS_AFTER_S
    answered = well or (bool(before.get("answered")) and before.get("start") == start)
    bad = 0 if well or not answered else (int(before.get("bad", 0)) if same else 0) + 1
    return {"start": start, "at": now, "answered": answered, "bad": bad}


def end(state: str, pid: int, reason: str) -> None:
    """SIGTERM, which a module takes on a thread of its own and obeys within 8 s also where its main thread hangs.

    SIGCONT after it: a stopped process takes SIGTERM only once somebody lets it go on.
    """
    before = read(state, _RESTARTS)
    count = before.get("count")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    now = {"count": (count if isinstance(count, int) else 0) + 1, "reason": reason[:400], "by": "health check"}
    write(state, _RESTARTS, {**now, "at": at, "told": False})
    sys.stdout.write(f"ending the module: {TRIES} bad answers in a row\n")
    try:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
    except OSError as error:
        sys.stdout.write(f"it cannot be ended: {error}\n")


def read(state: str, name: str) -> dict[str, Any]:
    """Empty where there is none, or none that can be read."""
    try:
        with open(f"{state}/{name}", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the time
            told = json.load(file)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def write(state: str, name: str, content: dict[str, Any]) -> None:
    """A folder that cannot be written costs the row, not the check."""
    try:
        with open(f"{state}/.{name}", "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(content, file)
        os.replace(f"{state}/.{name}", f"{state}/{name}")  # noqa: PTH105
    except OSError as error:
        sys.stdout.write(f"{name} cannot be written: {error}\n")


def find(state: str) -> dict[str, Any]:
    """Where the module answers: as it wrote, or, where its folder cannot be written, as it was told."""
    try:
        with open(f"{state}/http.json", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the time
            told: Any = json.load(file)
    except FileNotFoundError:
        host, _, port = os.environ.get("VIGIE_HTTP", "0.0.0.0:9600").rpartition(":")
        return {"host": host.strip("[]"), "port": int(port)}
    if not isinstance(told, dict):
        raise TypeError("http.json does not say where")
    return told


def ask(host: str, port: int) -> tuple[int, str]:
    """GET /healthz. Returns: status and body. Raises: OSError, ValueError."""
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body.decode("utf-8", "replace")[:500]


if __name__ == "__main__":
    raise SystemExit(main(os.environ.get("VIGIE_STATE", "/var/lib/vigie")))
