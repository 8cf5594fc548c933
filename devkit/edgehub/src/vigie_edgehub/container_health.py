"""The health check of the hub's container: 0 once modules can boot, told by ``hub.json`` and the open MQTT port."""

from __future__ import annotations

import json
import socket
import sys


def main(state: str) -> int:
    """0: ready; 1: not yet, or no more."""
    try:
        with open(f"{state}/hub.json", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would double the time
            port = json.load(file)["mqtt_port"]
        socket.create_connection(("127.0.0.1", port), timeout=3.0).close()
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stdout.write(f"not ready: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "/var/lib/vigie/hub"))
