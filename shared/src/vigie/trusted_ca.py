"""TLS towards other machines: the system's CAs, or exactly the one that lies in the device's secrets folder."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

_LIMIT_BYTES = 256 << 10


def context_of(folder: Path, ca: str | None) -> ssl.SSLContext:
    """A client's context that checks certificate and name. Raises: OSError, ValueError: ``ca`` cannot be used."""
    if ca is None:
        return ssl.create_default_context()
    # O_NOFOLLOW: a link would let a twin name any file of the device.
    descriptor = os.open(folder / ca, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{folder / ca} is not a file")
        content = os.read(descriptor, _LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LIMIT_BYTES:
        raise ValueError(f"{folder / ca} is longer than {_LIMIT_BYTES} bytes")
    try:
        return ssl.create_default_context(cadata=content.decode("ascii"))
    except (UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        raise ValueError(f"{folder / ca} holds no CA certificate in PEM: {error}") from error
