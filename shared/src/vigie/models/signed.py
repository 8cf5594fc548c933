"""Signatures of bundles: what is signed, the file that holds a signature, and who the device says signed.

A signature (Ed25519, RFC 8032) covers the sha256 of card.yaml and of every file that the card names, by name, and the
moment of signing. A signed bundle holds these files, its signature, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.errors import BundleError, BundleSignatureError
from vigie.models.bundle import CARD_FILE, Bundle, read_contained

SIGNATURE_FILE = "signature.json"
SIGNATURE_BYTES_MAX = 4096
# More than a bundle of every variant with external data has; a folder of a million files is not walked to its end.
_ENTRIES_MAX = 256
# Bytes that begin nothing else that a key of ours could ever sign.
_DOMAIN = b"vigie.signature/1\0"

PublicKey = Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{43}=$", description="Base64 of an Ed25519 public key.")]
KeyId = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Moment = Annotated[datetime, Meta(tz=True)]


class BundleSignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``signature.json``. ``key``: which key signed, by its id; ``signature``: base64 of 64 bytes."""

    schema: Literal["vigie.signature/1"] = "vigie.signature/1"
    key: KeyId
    signed_at: Moment
    signature: Annotated[str, Meta(pattern="^[A-Za-z0-9+/]{86}==$")]


class SignedBy(msgspec.Struct, frozen=True):
    """Who signed a bundle, as far as this device can tell.

    ``state``: ``trusted`` (a key that the device trusts, by ``name``), ``unknown_key`` or ``unsigned``.
    """

    state: Literal["trusted", "unknown_key", "unsigned"]
    name: str = ""
    key: str = ""
    signed_at: str = ""


def key_id(public_key: bytes) -> str:
    """Sixteen hex digits that name an Ed25519 public key (32 bytes) where people read."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def signed_bytes(bundle: Bundle, signed_at: datetime) -> bytes:
    """What a signature of ``bundle`` is over; the same bytes for the same content, wherever the folder lies."""
    files = {CARD_FILE: bundle.digest, **dict(bundle.files())}
    return _DOMAIN + msgspec.json.encode(
        {"files": dict(sorted(files.items())), "signed_at": signed_at.astimezone(UTC).isoformat()}
    )


def read_signature(bundle: Bundle) -> BundleSignature | None:
    """The signature beside the card; None where there is none.

    Raises: BundleSignatureError: the file is not a signature. BundleError: it cannot be read, or is a link.
    """
    if not os.path.lexists(bundle.folder / SIGNATURE_FILE):
        return None
    content = read_contained(bundle.folder, SIGNATURE_FILE, limit=SIGNATURE_BYTES_MAX)
    try:
        return msgspec.json.decode(content, type=BundleSignature)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleSignatureError(
            str(bundle.folder), f"{SIGNATURE_FILE} is not a signature ({error}); sign it again"
        ) from error


def signature_holds(signature: BundleSignature, bundle: Bundle, public_key: bytes) -> bool:
    """Whether the holder of ``public_key`` (32 bytes) signed exactly this content."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, signed_bytes(bundle, signature.signed_at))
    except (InvalidSignature, ValueError):
        return False
    # Base64 has several spellings of the same bytes; a signature has one.
    return base64.b64encode(raw).decode() == signature.signature


def require_nothing_else(bundle: Bundle) -> None:
    """A signed folder holds what was signed and nothing beside it.

    Raises: BundleSignatureError: it holds a file, link or folder that the card does not name.
    """
    expected = {CARD_FILE, SIGNATURE_FILE, *(name for name, _ in bundle.files())}
    for count, name in enumerate(_entries(bundle.folder)):
        if name not in expected or count >= _ENTRIES_MAX:
            raise BundleSignatureError(
                str(bundle.folder), f"holds {name!r}, which the card does not name and nobody signed; remove it"
            )


def _entries(folder: Path, under: str = "") -> Iterator[str]:
    """Everything below ``folder`` that is not a folder, relative to it; links are entries and are not followed."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{under}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(folder / entry.name, f"{name}/")
                else:
                    yield name
    except (OSError, RecursionError) as error:
        raise BundleError(str(folder), f"cannot be listed: {error}") from error
