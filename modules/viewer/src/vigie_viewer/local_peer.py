"""Whose process is at the other end of a loopback connection: the kernel knows.

A page without a token is for the person who started it, not for everybody with an account on the same machine.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import Literal

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def is_own(peer: tuple[str, int], own: tuple[str, int]) -> bool:
    """Whether the connection from ``peer`` to ``own`` (address, port) was opened by this user, or by root."""
    uid = owner(peer, own)
    return uid is not None and uid in {0, os.getuid()}


def owner(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """User id of the socket that is bound to ``local`` and connected to ``remote``; None: there is none here."""
    ends = {(_hex(local), _hex(remote)), (_hex(local, mapped=True), _hex(remote, mapped=True))}
    for table in _TABLES:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            # sl local_address rem_address st tx:rx tr:when retrnsmt uid ...   Source: proc_net_tcp, Linux kernel
            fields = line.split()
            if len(fields) > 7 and (fields[1], fields[2]) in ends:
                return int(fields[7])
    return None


def _hex(end: tuple[str, int], *, mapped: bool = False) -> str:
    """Address and port as the table writes them: 32-bit words in the host's byte order (little-endian here)."""
    address = ipaddress.ip_address(end[0].partition("%")[0])
    if mapped and address.version == 4:
        address = ipaddress.ip_address(f"::ffff:{address}")
    raw = address.packed
    words = [raw[at : at + 4] for at in range(0, len(raw), 4)]
    return "".join(f"{int.from_bytes(word, _ORDER):08X}" for word in words) + f":{end[1]:04X}"


_ORDER: Literal["little", "big"] = sys.byteorder
