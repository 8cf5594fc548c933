"""Secrets of a device: each goes only to its own hosts.

A secret is the file ``NAME`` in the secrets folder, with the file ``NAME.host`` beside it: the hosts that may get it,
one per line (a name, an address, or a network such as ``10.1.0.0/16``). Without a folder to mount, the variables
``VIGIE_SECRET_NAME`` and ``VIGIE_SECRET_HOST_NAME`` do the same; no other variable is ever read. So a twin, which can
name any secret, cannot send one to a host of its choice.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vigie.errors import SecretMissingError, SecretRefusedError
from vigie.log import Redacted

_FILE_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Where secrets are looked for: a folder, then variables."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def find(self, name: str, host: str) -> Redacted:
        """The value of secret ``name`` for ``host``.

        Raises: SecretMissingError: it is missing. SecretRefusedError: it is for another host, or what lies there is not
        a file of one short text.
        """
        value, hosts = self._file(name), self._file(f"{name}.host")
        if value is None:
            value, hosts = self.environ.get(f"VIGIE_SECRET_{name}"), self.environ.get(f"VIGIE_SECRET_HOST_{name}")
        if value is None:
            raise SecretMissingError(name, str(self.folder))
        if not value:
            raise SecretRefusedError(name, "is empty")
        if hosts is None or not hosts.split():
            raise SecretRefusedError(name, f"does not say whose it is; write the host into {self.folder}/{name}.host")
        if not any(_names(entry.lower(), host) for entry in hosts.split()):
            raise SecretRefusedError(
                name, f"is not for the host '{host}' (see {self.folder}/{name}.host on the device)"
            )
        return Redacted(value)

    def _file(self, name: str) -> str | None:
        """Content of a file of the folder, without one newline at its end. None: no file there may be read.

        Raises: SecretRefusedError: a link, a FIFO or another thing than a file, too long, or no text.
        """
        # O_NOFOLLOW: a link would make this folder a door to every file. O_NONBLOCK: a FIFO must not hold the module.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self.folder / name, flags)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        except OSError as error:
            raise SecretRefusedError(name, f"cannot be read ({error.strerror}); a link is not followed") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SecretRefusedError(name, f"is not a file in {self.folder}")
            content = os.read(descriptor, _FILE_LIMIT_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(content) > _FILE_LIMIT_BYTES:
            raise SecretRefusedError(name, f"is longer than {_FILE_LIMIT_BYTES} bytes")
        try:
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise SecretRefusedError(name, "is not UTF-8 text") from None


def _names(entry: str, host: str) -> bool:
    """Whether a line of ``NAME.host`` means ``host``."""
    if entry == host:
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry)
    except (ValueError, TypeError):
        return False
