"""SAS tokens of modules: signed by the workload API, believed or refused at CONNECT."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import unquote

_SCHEME = "SharedAccessSignature "


class TokenRefusedError(Exception):
    """Why a token is not believed; the text never holds the token."""


def sign(key: str, content: bytes) -> str:
    """HMAC-SHA256 of ``content`` with a base64 ``key``, as base64. Raises: binascii.Error: ``key`` is not base64."""
    return b64encode(hmac.new(b64decode(key, validate=True), content, sha256).digest()).decode()


def check_token(
    token: str,
    *,
    hostnames: Iterable[str],
    device: str,
    module: str | None,
    keys: Iterable[str],
    now: float,
    grace_s: float,
) -> float:
    """Believe ``token`` for this client, or raise.

    Args: keys: base64, any of them may have signed. grace_s: how long after its expiry it still counts.
    Returns: its expiry, seconds since the epoch. Raises: TokenRefusedError.
    """
    if not token.isascii():
        raise TokenRefusedError("the token holds characters that no token has")
    if not token.startswith(_SCHEME):
        raise TokenRefusedError("the password is not a SharedAccessSignature")
    fields = dict(part.split("=", 1) for part in token[len(_SCHEME) :].split("&") if "=" in part)
    if missing := [name for name in ("sr", "sig", "se") if not fields.get(name)]:
        raise TokenRefusedError(f"the token has no {', '.join(missing)}")
    audience = unquote(fields["sr"]).split("/")
    wanted = ["devices", device] + (["modules", module] if module is not None else [])
    if audience[0].lower() not in {name.lower() for name in hostnames}:
        raise TokenRefusedError(f"the token is for the hub {audience[0]!r}")
    if [part.lower() for part in audience[1:]] != [part.lower() for part in wanted]:
        raise TokenRefusedError(f"the token is for {'/'.join(audience[1:])!r}, the client is {'/'.join(wanted)!r}")
    try:
        expires_at = float(int(fields["se"]))
        signature = b64decode(unquote(fields["sig"]), validate=True)
    except (ValueError, OverflowError, binascii.Error):
        raise TokenRefusedError("the token's expiry or signature cannot be read") from None
    content = f"{fields['sr']}\n{fields['se']}".encode()
    if not any(hmac.compare_digest(signature, hmac.new(b64decode(key), content, sha256).digest()) for key in keys):
        raise TokenRefusedError("the token's signature matches neither key")
    if expires_at + grace_s <= now:
        raise TokenRefusedError(f"the token expired {now - expires_at:.0f} s ago")
    return expires_at
