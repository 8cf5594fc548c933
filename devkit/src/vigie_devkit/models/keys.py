"""Signing keys as files: a pair is made, a private one is read with suspicion, a bundle is signed. Nothing is printed.

PEM as OpenSSL writes it (``openssl genpkey -algorithm ed25519``), without a passphrase: the file's mode protects it.
"""

from __future__ import annotations

import base64
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from vigie.config.atomic import write_atomically
from vigie.errors import SigningKeyError
from vigie.models import load_bundle
from vigie.models.signed import SIGNATURE_FILE, BundleSignature, key_id, require_nothing_else, signed_bytes

_PEM_BYTES_MAX = 16 << 10


def make_pair(private: Path) -> tuple[Path, str]:
    """Write ``private`` (0600) and beside it the public key; return the public key's file and the key's id.

    Raises: SigningKeyError: one of them exists already, or the folder cannot be written.
    """
    public = private.with_name(f"{private.stem}.pub.pem")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    open_part = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for file, content, mode in ((private, secret, 0o600), (public, open_part, 0o644)):
        try:
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except OSError as error:
            raise SigningKeyError(str(file), f"cannot be made: {error.strerror}; name another file") from error
        with os.fdopen(number, "wb") as opened:
            opened.write(content)
    return public, key_id(key.public_key().public_bytes_raw())


def read_private(file: Path) -> Ed25519PrivateKey:
    """Raises: SigningKeyError: a link, readable by others, or no Ed25519 key without a passphrase."""
    content = _read(file, secret=True)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SigningKeyError(str(file), "has a passphrase; keys for signing have none (chmod 600)") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        # Not the library's text: it may show what it read.
        raise SigningKeyError(str(file), "is not a private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(str(file), "is a key of another kind; only Ed25519 signs bundles")
    return key


def read_public(file: Path) -> bytes:
    """32 bytes. Raises: SigningKeyError: not an Ed25519 public key in PEM."""
    content = _read(file, secret=False)
    if b"PRIVATE KEY" in content:
        raise SigningKeyError(str(file), "is a private key; a device gets the public one")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(str(file), "is not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError(str(file), "is a key of another kind; only Ed25519 signs bundles")
    return key.public_bytes_raw()


def sign_bundle(folder: Path, key: Ed25519PrivateKey, now: datetime | None = None) -> BundleSignature:
    """Verify the bundle, then write its ``signature.json`` over what was there.

    Raises: any error of ``load_bundle``. BundleSignatureError: the folder holds what the card does not name.
    """
    bundle = load_bundle(folder)
    require_nothing_else(bundle)
    at = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    signature = BundleSignature(
        key=key_id(key.public_key().public_bytes_raw()),
        signed_at=at,
        signature=base64.b64encode(key.sign(signed_bytes(bundle, at))).decode(),
    )
    content = msgspec.json.format(msgspec.json.encode(signature), indent=2) + b"\n"
    write_atomically(bundle.folder / SIGNATURE_FILE, content)
    return signature


def _read(file: Path, *, secret: bool) -> bytes:
    try:
        number = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if secret else 0))
    except OSError as error:
        raise SigningKeyError(str(file), f"cannot be read: {error.strerror} (a link is not followed)") from error
    with os.fdopen(number, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise SigningKeyError(str(file), "is not a plain file")
        if secret and facts.st_mode & 0o077:
            mode = f"{stat.S_IMODE(facts.st_mode):04o}"
            raise SigningKeyError(str(file), f"other users can reach it (mode {mode}); chmod 600, or use a new key")
        return opened.read(_PEM_BYTES_MAX)
