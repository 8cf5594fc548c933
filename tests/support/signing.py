"""A signer with a key of its own, and a file of trusted keys that names it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigie.models.trust import TrustedKey, TrustFile, write_trust
from vigie_devkit.models.keys import sign_bundle


@dataclass(frozen=True)
class Signer:
    name: str
    key: Ed25519PrivateKey

    def sign(self, folder: Path, now: datetime | None = None) -> None:
        sign_bundle(folder, self.key, now)

    def trusted(self, **facts: Any) -> TrustedKey:
        public = self.key.public_key().public_bytes_raw()
        return TrustedKey(name=self.name, key=base64.b64encode(public).decode(), **facts)


def signer(name: str = "acme-release") -> Signer:
    return Signer(name, Ed25519PrivateKey.generate())


def trust_file(file: Path, *keys: TrustedKey, require: bool = True) -> Path:
    write_trust(file, TrustFile(require_signature=require, keys=keys))
    return file
