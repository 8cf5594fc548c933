"""Whose bundles a device takes: the file of trusted keys, and the verdict on one bundle.

The file is mounted by whoever owns the device. No twin can name another file, add a key or ask for less.
"""

from __future__ import annotations

import base64
import os
import stat
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.config.atomic import write_atomically
from vigie.config.environment import ModuleEnvironment
from vigie.errors import BundleSignatureError, TrustFileError
from vigie.models.bundle import Bundle
from vigie.models.signed import (
    Moment,
    PublicKey,
    SignedBy,
    key_id,
    read_signature,
    require_nothing_else,
    signature_holds,
)

# Mounted read-only by the deployment template: /etc/vigie/trust of the device.
USUAL_PLACE = Path("/run/trust/models.json")
TRUST_BYTES_MAX = 256 << 10
Person = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9@._ -]{0,99}$")]


class TrustedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One signer. ``not_after``: signatures made later do not count; ``revoked``: none counts any more."""

    name: Person
    key: PublicKey
    not_after: Moment | None = None
    revoked: bool = False

    @property
    def public_bytes(self) -> bytes:
        """32 bytes."""
        return base64.b64decode(self.key)

    @property
    def id(self) -> str:
        return key_id(self.public_bytes)


class TrustFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file of trusted keys, as it is written."""

    schema: Literal["vigie.trust/1"] = "vigie.trust/1"
    require_signature: bool = False
    keys: tuple[TrustedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Where this device's trusted keys are, as its environment says.

    ``file``: may be missing only where neither ``named`` (the environment names it) nor ``required`` is set.
    """

    file: Path
    named: bool = False
    required: bool = False

    def read(self) -> TrustFile:
        """Read anew for each bundle, so that a key that was revoked today does not open the next one.

        Raises: TrustFileError: it cannot be read, is not such a file, or anybody may write it.
        """
        if not (self.named or self.required) and not os.path.lexists(self.file):
            return TrustFile()
        trusted = read_trust(self.file)
        return msgspec.structs.replace(trusted, require_signature=trusted.require_signature or self.required)


def trust_of(env: ModuleEnvironment) -> TrustPolicy:
    """As the environment of a module says; the usual place where it says nothing."""
    return TrustPolicy(
        env.model_trust or USUAL_PLACE, named=env.model_trust is not None, required=env.require_signature
    )


def read_trust(file: Path) -> TrustFile:
    """Raises: TrustFileError: it cannot be read, is not such a file, or anybody may write it."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise TrustFileError(str(file), f"cannot be read: {error.strerror}") from error
    with os.fdopen(number, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise TrustFileError(str(file), "is not a plain file")
        if facts.st_mode & stat.S_IWOTH:
            raise TrustFileError(str(file), "may be written by every user of the device; chmod o-w")
        content = opened.read(TRUST_BYTES_MAX + 1)
    if len(content) > TRUST_BYTES_MAX:
        raise TrustFileError(str(file), f"has more than {TRUST_BYTES_MAX} bytes")
    try:
        trusted = msgspec.json.decode(content, type=TrustFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TrustFileError(str(file), str(error)) from error
    for what, found in (("name", [one.name for one in trusted.keys]), ("key", [one.key for one in trusted.keys])):
        twice = [value for value, count in Counter(found).items() if count > 1]
        if twice:
            # Two entries for one key could say different things, and which of them counts would be a guess.
            raise TrustFileError(str(file), f"holds the {what} {twice[0]} twice")
    return trusted


def write_trust(file: Path, trusted: TrustFile) -> None:
    """Replace ``file`` as a whole."""
    write_atomically(file, msgspec.json.format(msgspec.json.encode(trusted), indent=2) + b"\n")


def judge(bundle: Bundle, trusted: TrustFile) -> SignedBy:
    """Who signed ``bundle``, a verified one.

    A signature that does not hold, or whose key is revoked, is refused whether or not signatures are required: it is
    evidence that somebody changed the bundle.

    Raises: BundleSignatureError: with the reason and what to do.
    """
    where, required = str(bundle.folder), trusted.require_signature
    signature = read_signature(bundle)
    if signature is None:
        if required:
            raise BundleSignatureError(where, "is not signed and this device requires it; ./vigie models sign")
        return SignedBy("unsigned")
    signer = next((one for one in trusted.keys if one.id == signature.key), None)
    if signer is None:
        if required:
            known = ", ".join(f"{one.name} ({one.id})" for one in trusted.keys if not one.revoked) or "nobody"
            raise BundleSignatureError(
                where, f"is signed by key {signature.key}, which this device does not trust; it trusts {known}"
            )
        return SignedBy("unknown_key", key=signature.key, signed_at=signature.signed_at.astimezone(UTC).isoformat())
    if signer.revoked:
        raise BundleSignatureError(where, f"is signed by {signer.name} (key {signer.id}), whose key was revoked")
    require_nothing_else(bundle)
    if not signature_holds(signature, bundle, signer.public_bytes):
        raise BundleSignatureError(
            where,
            f"is not what {signer.name} (key {signer.id}) signed: the card or the signature was changed; "
            "fetch it again or have it signed again",
        )
    if signer.not_after is not None and signature.signed_at > signer.not_after:
        raise BundleSignatureError(
            where,
            f"was signed by {signer.name} at {signature.signed_at.isoformat()}, after the key's last day "
            f"{signer.not_after.isoformat()}; have it signed with a newer key",
        )
    return SignedBy(
        "trusted", name=signer.name, key=signer.id, signed_at=signature.signed_at.astimezone(UTC).isoformat()
    )
