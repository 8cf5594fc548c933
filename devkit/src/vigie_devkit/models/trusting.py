"""Changes of a file of trusted keys: add, revoke, require; and what it says, in lines for people."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vigie.errors import TrustFileError
from vigie.models.trust import TrustedKey, TrustFile, read_trust, write_trust


def opened_trust(file: Path) -> TrustFile:
    """An empty one where the file is missing. Raises: TrustFileError: the file holds something else."""
    return read_trust(file) if file.exists() or file.is_symlink() else TrustFile()


def add_key(file: Path, name: str, public_key: bytes, not_after: datetime | None) -> TrustedKey:
    """Raises: TrustFileError: the name or the key is in it already, or cannot be a name."""
    trusted = opened_trust(file)
    try:
        added = msgspec.convert(
            {"name": name, "key": base64.b64encode(public_key).decode(), "not_after": not_after}, TrustedKey
        )
    except msgspec.ValidationError as error:
        raise TrustFileError(str(file), f"cannot name a key {name!r}: {error}") from error
    for one in trusted.keys:
        if one.name == name or one.key == added.key:
            raise TrustFileError(str(file), f"holds {one.name} (key {one.id}) already")
    write_trust(file, msgspec.structs.replace(trusted, keys=(*trusted.keys, added)))
    return added


def revoke(file: Path, name: str) -> TrustedKey:
    """The key stays in the file, so that what it signed is refused rather than unknown.

    Raises: TrustFileError: nobody has this name.
    """
    trusted = opened_trust(file)
    if name not in {one.name for one in trusted.keys}:
        known = ", ".join(one.name for one in trusted.keys) or "nobody"
        raise TrustFileError(str(file), f"trusts nobody named {name!r}; it has {known}")
    keys = tuple(msgspec.structs.replace(one, revoked=one.revoked or one.name == name) for one in trusted.keys)
    write_trust(file, msgspec.structs.replace(trusted, keys=keys))
    return next(one for one in keys if one.name == name)


def require(file: Path, *, signature: bool) -> None:
    """Whether a device with this file takes unsigned bundles."""
    write_trust(file, msgspec.structs.replace(opened_trust(file), require_signature=signature))


def lines(trusted: TrustFile) -> list[str]:
    required = "required" if trusted.require_signature else "not required"
    shown = [f"signatures are {required}; {len(trusted.keys)} keys"]
    for one in trusted.keys:
        until = f"signs until {one.not_after.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if one.not_after else "without end"
        shown.append(f"  {one.id}  {one.name:24} {'REVOKED' if one.revoked else until}")
    return shown
