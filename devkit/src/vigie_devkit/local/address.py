"""The loopback address of a run: the SDK's ports are fixed at 8883 and 443, so each run has an address of its own."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator

from vigie_devkit.local.errors import HubFailedError

MQTT_PORT = 8883
PAGE_PORT = 8710
PAGE_HOST = "127.0.0.1"


def choose_address(key: str, port: int = MQTT_PORT) -> str:
    """A loopback address on which ``port`` is free; the same one for the same ``key`` whenever it is.

    Raises: HubFailedError: none of many is free.
    """
    for address in candidates(key):
        if is_free(address, port):
            return address
    raise HubFailedError(
        f"port {port} is busy on every loopback address tried (first {next(candidates(key))}); "
        f"something listens on all addresses: stop it (ss -ltnp 'sport = :{port}')"
    )


def choose_page(first: int = PAGE_PORT) -> tuple[str, socket.socket]:
    """Address and port of the viewer's page: always the same one, unless another run has it.

    Returns: the address, and what keeps another start from choosing it before the viewer listens; close it at the end.
    Raises: HubFailedError: none of many is free.
    """
    for port in range(first, first + 100):
        # A name in the abstract namespace goes with its process, however that ends.
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0vigie.page.{port}")
            if is_free(PAGE_HOST, port):
                return f"{PAGE_HOST}:{port}", claim
        except OSError:
            pass  # claimed by a run that is starting or running
        claim.close()
    raise HubFailedError(
        f"ports {first} to {first + 99} of {PAGE_HOST} are busy; "
        "set VIGIE_PAGE=127.0.0.1:PORT or start without the page: --no-viewer"
    )


def candidates(key: str, count: int = 20) -> Iterator[str]:
    """Addresses in 127.64.0.0/10, away from 127.0.0.x that other programs use."""
    for attempt in range(count):
        digest = hashlib.sha256(f"{key}/{attempt}".encode()).digest()
        yield f"127.{64 + digest[0] % 64}.{digest[1]}.{1 + digest[2] % 254}"


def is_free(address: str, port: int) -> bool:
    """True if one could listen there now. Both kinds of listener are noticed: on this address and on all."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
