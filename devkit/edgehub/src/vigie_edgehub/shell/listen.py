"""Which address is ours, and the ports on it: 8883 and 443 are fixed by the SDK, so each hub has an address."""

from __future__ import annotations

import errno
import secrets
import socket

from vigie_edgehub.errors import HubStartError

MQTT_PORT = 8883


def choose_address(wanted: str | None, former: str, port: int = MQTT_PORT) -> str:
    """``wanted``, else the address of the last run on this state folder, else a free one in 127/8.

    Raises: HubStartError: the wanted address is busy or not of this machine.
    """
    if wanted is not None:
        _try(wanted, port)
        return wanted
    candidates = [former] if former else []
    candidates += [
        f"127.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}" for _ in range(8)
    ]
    refusal: HubStartError | None = None
    for candidate in candidates:
        try:
            _try(candidate, port)
        except HubStartError as error:
            refusal = error
        else:
            return candidate
    raise refusal or HubStartError("no free loopback address was found; pass one with --listen")


def _try(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise listen_error(address, port, error) from error


def listen_error(address: str, port: int, error: OSError) -> HubStartError:
    if error.errno == errno.EADDRINUSE:
        return HubStartError(f"port {port} of {address} is busy; stop what uses it or pass another --listen address")
    return HubStartError(f"cannot listen on {address}:{port} ({error.strerror}); pass another --listen address")
