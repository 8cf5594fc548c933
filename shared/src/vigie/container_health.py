"""The health check of a module's container: asks the module's own /healthz and ends with 0 or 1.

Run by path with ``python -I -S`` every 30 s on small devices: three imports, no package, some 15 ms.
"""

from __future__ import annotations

import json
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Docker's own limit is 5 s; a sentence of ours is better than its "timed out".
TIMEOUT_S = 3.0


def main(state: str) -> int:
    """0: the module makes progress; 1: it does not, does not answer, or has not begun to."""
    try:
        endpoint = find(state)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint["host"], endpoint["host"])  # noqa: S104
        status, body = ask(host, endpoint["port"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    sys.stdout.write(f"{status} {body}\n")
    return 0 if status == 200 else 1


def find(state: str) -> dict[str, Any]:
    """Where the module answers: as it wrote, or, where its folder cannot be written, as it was told."""
    try:
        with open(f"{state}/http.json", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the time
            told: dict[str, Any] = json.load(file)
            return told
    except FileNotFoundError:
        host, _, port = os.environ.get("VIGIE_HTTP", "0.0.0.0:9600").rpartition(":")
        return {"host": host.strip("[]"), "port": int(port)}


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
