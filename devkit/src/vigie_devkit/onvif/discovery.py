"""WS-Discovery: ask the local network, or single addresses, who is an ONVIF device.

Source: WS-Discovery 1.0 (April 2005), ONVIF Core 7.3. Devices answer by unicast to the port that asked.
"""

from __future__ import annotations

import select
import socket
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from vigie_devkit.onvif.xml import XmlError, parse, printable

GROUP: Final = ("239.255.255.250", 3702)
# Asked for one by one: some cameras answer to one type only.
_TYPES: Final = (
    '<d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter</d:Types>',
    '<d:Types xmlns:tds="http://www.onvif.org/ver10/device/wsdl">tds:Device</d:Types>',
)
_PROBE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Header>'
    "<a:MessageID>uuid:{message}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></e:Header>"
    "<e:Body><d:Probe>{types}</d:Probe></e:Body></e:Envelope>"
)
_DATAGRAM_BYTES: Final = 65_535
_FOUND_MAX: Final = 1_000
# Multicast gets lost; a second question finds who missed the first.
_ASK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """One device. ``address``: where it answered from; ``service``: its device service's URL, on that address.

    ``name``, ``hardware``: as it says of itself.
    """

    address: str
    service: str
    name: str
    hardware: str


def discover(targets: Sequence[tuple[str, int]], seconds: float, interfaces: Iterable[str] = ()) -> list[FoundDevice]:
    """Ask for ``seconds``. ``targets``: ``GROUP``, or single hosts. ``interfaces``: this machine's, to ask from.

    Raises: OSError: this machine cannot ask at all.
    """
    sockets = _sockets([*interfaces] or [""])
    found: dict[str, FoundDevice] = {}
    try:
        deadline, ask_at = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < deadline:
            if now >= ask_at:
                _ask(sockets, targets)
                ask_at = now + _ASK_EVERY_S
            ready, _, _ = select.select(sockets, [], [], max(0.0, min(deadline, ask_at) - now))
            for one in ready:
                with suppress(OSError):
                    answer, sender = one.recvfrom(_DATAGRAM_BYTES)
                    device = read_match(answer, sender[0])
                    if device is not None and len(found) < _FOUND_MAX:
                        found.setdefault(device.address, device)
    finally:
        for one in sockets:
            one.close()
    return sorted(found.values(), key=lambda one: socket.inet_aton(one.address))


def read_match(answer: bytes, sender: str) -> FoundDevice | None:
    """The device that sent ``answer`` from ``sender``; None: it does not match, or names other hosts than itself.

    Anybody on the network may answer. One who names somebody else's address could have us log in there.
    """
    try:
        match = parse(answer).first("ProbeMatch")
    except XmlError:
        return None
    if match is None:
        return None
    for url in match.said("XAddrs").split():
        with suppress(ValueError):
            split = urlsplit(url)
            if split.scheme in ("http", "https") and split.hostname == sender:
                scopes = [unquote(scope) for scope in match.said("Scopes").split()]
                return FoundDevice(sender, url, _scope(scopes, "name"), _scope(scopes, "hardware"))
    return None


def _scope(scopes: list[str], kind: str) -> str:
    prefix = f"onvif://www.onvif.org/{kind}/"
    return next((printable(scope.removeprefix(prefix)) for scope in scopes if scope.startswith(prefix)), "")


def _sockets(interfaces: list[str]) -> list[socket.socket]:
    made: list[socket.socket] = []
    refused: OSError | None = None
    for interface in interfaces:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            if interface:
                one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            one.bind((interface, 0))
        except OSError as error:
            one.close()
            refused = error
        else:
            made.append(one)
    if not made and refused is not None:
        raise refused
    return made


def _ask(sockets: list[socket.socket], targets: Sequence[tuple[str, int]]) -> None:
    for types in _TYPES:
        # A number of its own each time: cameras keep silent to one that they have answered.
        probe = _PROBE.format(message=uuid.uuid4(), types=types).encode()
        for one in sockets:
            for target in targets:
                with suppress(OSError):
                    one.sendto(probe, target)
