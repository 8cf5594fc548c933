"""The signature of Standard Webhooks: HMAC-SHA256 over id, time and body.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from vigie.log import Redacted

PREFIX = "whsec_"
# The specification asks for 24 to 64 bytes.
_KEY_BYTES = range(24, 65)


def key_of(secret: Redacted) -> bytes:
    """The key that ``whsec_<base64>`` holds. Raises: ValueError: it holds none."""
    text = secret.reveal().strip()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError(f"expected {PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def headers_of(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` (seconds of UTC) and ``webhook-signature``."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
