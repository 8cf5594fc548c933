"""Who there is and with which keys: drawn once, kept in one file that only its owner reads."""

from __future__ import annotations

import secrets
from base64 import b64encode
from pathlib import Path

import msgspec

from vigie.errors import HubStartError
from vigie_devkit.hub.store.documents import write_atomically


class Keys(msgspec.Struct):
    """``generation_id`` is new for each identity; keys are base64 of 32 bytes."""

    primary: str
    secondary: str
    generation_id: str
    etag: int = 1
    managed_by: str = "iotEdge"


class KeyFile(msgspec.Struct):
    device: Keys
    service: str
    modules: dict[str, Keys] = {}
    listen: str = ""
    """The address of the last run: modules that still live find the hub again there."""
    service_port: int = 0
    """The service's port of the last run: a connection string that was copied stays good."""


def draw_key() -> str:
    return b64encode(secrets.token_bytes(32)).decode()


def draw_keys() -> Keys:
    return Keys(draw_key(), draw_key(), str(secrets.randbelow(10**18)).zfill(18))


class KeyStore:
    """The file ``keys.json``, mode 0600."""

    def __init__(self, path: Path) -> None:
        """Raises: HubStartError: the file is there and is none."""
        self._path = path
        self.content = self._load()

    def _load(self) -> KeyFile:
        if not self._path.exists():
            return KeyFile(draw_keys(), draw_key())
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=KeyFile)
        except (OSError, msgspec.MsgspecError) as error:
            raise HubStartError(f"{self._path} is damaged ({error}); remove it to draw new keys") from error

    def of(self, module: str) -> Keys:
        keys = self.content.modules.get(module)
        if keys is None:
            keys = self.content.modules[module] = draw_keys()
        return keys

    def save(self) -> None:
        write_atomically(self._path, msgspec.json.encode(self.content))
