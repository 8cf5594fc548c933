"""What lies on the device's disk, sealed with the device's key where it has one: AES-256-GCM, each record by itself.

A sealed record says which key it needs, so that sealed and clear ones, and those of a former key, lie side by side: a
key can be given, and changed, while records wait. What it is about is bound to it: one record cannot be put in the
place of another. Source: NIST SP 800-38D (96-bit nonces at random: at most 2**32 records under one key).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from vigie.errors import ConfigRefusedError, SealedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VARIABLE: Final = "VIGIE_AT_REST_KEY"
MAGIC: Final = b"\x00VS1"
ID_BYTES: Final = 4
_NONCE_BYTES, _TAG_BYTES, _KEY_BYTES = 12, 16, 32
_FILE_BYTES_MAX: Final = 4096
OVERHEAD_BYTES: Final = len(MAGIC) + ID_BYTES + _NONCE_BYTES + _TAG_BYTES


class BrokenSealError(Exception):
    """A sealed record is not what was sealed, or is about something else."""


@dataclass(frozen=True)
class Key:
    """``secret``: 32 bytes, shown nowhere."""

    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.name})"

    @cached_property
    def id(self) -> bytes:
        """Names the key and tells nothing of it; another key has another."""
        return hashlib.sha256(b"vigie at rest" + self.secret).digest()[:ID_BYTES]

    @property
    def name(self) -> str:
        return self.id.hex()

    @cached_property
    def cipher(self) -> AESGCM:
        # Loaded where a key is given: it takes memory that other devices save.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self.secret)


class Seals:
    """The device's keys: the first seals, all of them open. Without any, nothing is sealed and nothing opened."""

    def __init__(self, keys: tuple[Key, ...] = ()) -> None:
        self._keys = keys
        self._by_id: Mapping[bytes, Key] = {key.id: key for key in keys}

    @property
    def name(self) -> str | None:
        """Of the key that seals; None: records are written in the clear."""
        return self._keys[0].name if self._keys else None

    @property
    def overhead_bytes(self) -> int:
        """What sealing adds to a record."""
        return OVERHEAD_BYTES if self._keys else 0

    def close(self, record: bytes, about: str) -> bytes:
        """``record`` as it is to be stored. ``about``: what it has to be opened with."""
        if not self._keys:
            return record
        key, nonce = self._keys[0], os.urandom(_NONCE_BYTES)
        return MAGIC + key.id + nonce + key.cipher.encrypt(nonce, record, _encoded(about))

    def open(self, stored: bytes, about: str) -> bytes:
        """What was stored; in the clear, as it is.

        Raises: SealedError: the key is not here. BrokenSealError: not what was sealed.
        """
        if not is_sealed(stored):
            return stored
        named = self._by_id.get(stored[len(MAGIC) : len(MAGIC) + ID_BYTES])
        if named is not None and len(stored) < OVERHEAD_BYTES:
            raise BrokenSealError("a sealed record is cut off")
        # A flipped bit makes another key of the one that is named: what a key of ours opens is proven by its tag.
        for key in self._keys if named is None else (named,):
            if (record := _decrypted(stored, about, key)) is not None:
                return record
        if named is None:
            raise SealedError(key_of(stored), tuple(one.name for one in self._keys))
        raise BrokenSealError("a sealed record is not what was sealed")

    def knows(self, stored: bytes) -> bool:
        """Whether the key that a sealed record names is here."""
        return stored[len(MAGIC) : len(MAGIC) + ID_BYTES] in self._by_id


def is_sealed(stored: bytes) -> bool:
    """No JSON and no gzip begins so."""
    return stored.startswith(MAGIC)


def key_of(stored: bytes) -> str:
    """The name of the key that a sealed record needs."""
    return stored[len(MAGIC) : len(MAGIC) + ID_BYTES].hex()


def read_seals(environ: Mapping[str, str]) -> Seals:
    """The keys of the file that ``VIGIE_AT_REST_KEY`` names; none where it names none.

    One key per line, 32 bytes as base64: the first seals, the others open what they sealed before it.
    Raises: ConfigRefusedError: the file cannot be used. Never goes on without the key that was asked for.
    """
    named = environ.get(VARIABLE, "")
    if not named:
        return Seals()
    try:
        number = os.open(named, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise ConfigRefusedError(VARIABLE, f"{named} cannot be read ({error.strerror}); see docs/security.md") from None
    with os.fdopen(number, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ConfigRefusedError(VARIABLE, f"{named} is not a plain file")
        if facts.st_mode & stat.S_IRWXO:
            raise ConfigRefusedError(VARIABLE, f"{named} is open to every user of the device; chmod o= {named}")
        content = file.read(_FILE_BYTES_MAX + 1)
    if len(content) > _FILE_BYTES_MAX:
        raise ConfigRefusedError(VARIABLE, f"{named} has more than {_FILE_BYTES_MAX} bytes")
    return Seals(_keys_in(content, named))


def _keys_in(content: bytes, named: str) -> tuple[Key, ...]:
    keys: list[Key] = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            secret = base64.b64decode(line.strip(), validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != _KEY_BYTES:
            # The line itself is not shown: it may be a key with a slip in it.
            raise ConfigRefusedError(
                VARIABLE,
                f"{named}, line {number}: expected {_KEY_BYTES} bytes as base64 (head -c 32 /dev/urandom | base64)",
            )
        keys.append(Key(secret))
    if not keys:
        raise ConfigRefusedError(VARIABLE, f"{named} holds no key")
    if len({key.id for key in keys}) != len(keys):
        raise ConfigRefusedError(VARIABLE, f"{named} holds a key twice")
    return tuple(keys)


def _decrypted(stored: bytes, about: str, key: Key) -> bytes | None:
    """None: not sealed with ``key``, or not what was sealed."""
    from cryptography.exceptions import InvalidTag

    begin = len(MAGIC) + ID_BYTES
    nonce, content = stored[begin : begin + _NONCE_BYTES], stored[begin + _NONCE_BYTES :]
    try:
        return key.cipher.decrypt(nonce, content, _encoded(about))
    except (InvalidTag, ValueError):  # ValueError: no whole nonce
        return None


def _encoded(about: str) -> bytes:
    return about.encode("utf-8", "surrogatepass")
