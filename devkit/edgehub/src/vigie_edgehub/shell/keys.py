"""Who there is and with which keys: drawn once, kept in one file that only its owner reads."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Literal

import msgspec

from vigie_edgehub.errors import HubStartError
from vigie_edgehub.store.documents import write_private


class Keys(msgspec.Struct):
    """``generation_id`` is new for each identity; keys are base64 of 32 bytes."""

    primary: str
    secondary: str
    generation_id: str
    etag: int = 1
    managed_by: str = "iotEdge"


class LeafDevice(msgspec.Struct):
    """A device behind this hub. ``child``: this edge device is its parent, so that it may connect."""

    keys: Keys
    status: Literal["enabled", "disabled"] = "enabled"
    status_reason: str | None = None
    child: bool = False


class KeyFile(msgspec.Struct):
    device: Keys
    service: str
    modules: dict[str, Keys] = {}
    devices: dict[str, LeafDevice] = {}
    listen: str = ""
    """The address of the last run: modules that still live find the hub again there."""
    service_port: int = 0
    """The service's port of the last run: a connection string that was copied stays good."""


_PAIR = ("primary", "secondary")
KEY_RULE = "base64 of 16 to 64 bytes"


def is_key(text: str) -> bool:
    """True for what can sign: an empty or short key would make every signature easy to guess."""
    try:
        return 16 <= len(b64decode(text, validate=True)) <= 64
    except ValueError:
        return False


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
            content = msgspec.json.decode(self._path.read_bytes(), type=KeyFile)
        except (OSError, msgspec.MsgspecError) as error:
            raise HubStartError(f"{self._path} is damaged ({error}); remove it to draw new keys") from error
        leafs = {f"leaf device {name}": one.keys for name, one in content.devices.items()}
        pairs = {"device": content.device, **content.modules, **leafs}
        found = {f"{name} {which}": getattr(keys, which) for name, keys in pairs.items() for which in _PAIR}
        for name, key in {"service": content.service, **found}.items():
            if not is_key(key):
                raise HubStartError(
                    f"{self._path}: the key '{name}' is not {KEY_RULE}; remove the file to draw new keys"
                )
        return content

    def of(self, module: str) -> Keys:
        keys = self.content.modules.get(module)
        if keys is None:
            keys = self.content.modules[module] = draw_keys()
        return keys

    def save(self) -> None:
        write_private(self._path, msgspec.json.encode(self.content))
