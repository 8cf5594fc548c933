"""From a camera's URL to what its decoder is given: an address that the device's policy allows, secrets in place."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Final

from vigie.errors import SourceOpenError
from vigie.log import SecretUrl
from vigie.secrets import SecretStore
from vigie.source_url import NetworkSource
from vigie_camera.secrets import reveal
from vigie_camera.source_policy import SourcePolicy

OWN_CA: Final = "camera-ca.pem"
"""In the secrets folder: certificates of the site's authority or of self-signed cameras, instead of the system's."""
_SYSTEM_CA: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class HostUnknownError(SourceOpenError):
    """The name of a camera's host leads to no address."""


def connection(
    source: NetworkSource, policy: SourcePolicy, store: SecretStore, *, tls_verify: bool = True
) -> SecretUrl:
    """What a decoder opens: look the host up, check its address, fill in the secrets.

    The URL holds the address that was checked, not the name: FFmpeg would look the name up again and may get another.
    Where a certificate is verified the name stays, because it is the name that is certified.
    Raises: SourceOpenError: no such host, or one that the policy refuses. SecretMissingError, SecretRefusedError.
    """
    address = _resolve(source, policy)
    # Over HTTP the decoder looks names up itself, by the same policy: also those that redirects and playlists hold.
    named = source.scheme in ("http", "https") or (source.scheme == "rtsps" and tls_verify)
    return reveal(source, store, host=source.host if named else address)


def _resolve(source: NetworkSource, policy: SourcePolicy) -> str:
    """The address to connect to: the first of the host's that is allowed; none is used if one is never a camera's."""
    try:
        found = socket.getaddrinfo(source.host, source.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostUnknownError(
            source.template, f"the host '{source.host}' is not known here; check its name and the device's DNS"
        ) from None
    refused: str | None = None
    for entry in found:
        # A scope (fe80::1%eth0) comes behind a percent sign.
        address = str(entry[4][0])
        reason = policy.refuses_address(source.host, ipaddress.ip_address(address))
        if reason is None:
            return address
        refused = refused or reason
    raise SourceOpenError(source.template, f"is not opened: {refused or 'the host has no address'}")


def ca_file(secrets: Path) -> str:
    """The certificates that cameras are verified with: the site's own in the secrets folder, else the system's."""
    own = secrets / OWN_CA
    return str(own) if own.is_file() else system_ca()


def system_ca() -> str:
    return next((path for path in _SYSTEM_CA if Path(path).is_file()), _SYSTEM_CA[0])
