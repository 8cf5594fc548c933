"""The user name of a CONNECT: ``{hub}/{device}[/{module}]/[?]api-version=...&DeviceClientType=...``.

Source: edgeHub, MqttUsernameParser.cs.
"""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

_AZURE_ML_TAIL = "/api-version=2017-06-30/deviceclienttype=microsoft.azure.devices.client/1.5.1-preview-003"


class UsernameRefused(Exception):  # noqa: N818 - a refusal, as the hub's other ones (ports.py)
    """Not a user name of the dialect: CONNACK 5."""

    def __init__(self, username: str, reason: str) -> None:
        super().__init__(f"user name {username!r}: {reason}")
        self.username = username
        self.reason = reason


class Username(msgspec.Struct, frozen=True):
    """Who a client says it is. ``module`` is None for a device; the password has to prove it."""

    hub: str
    device: str
    module: str | None
    api_version: str
    client_type: str = ""
    model_id: str | None = None

    @property
    def client_id(self) -> str:
        """What the client id of the CONNECT must equal, to the letter."""
        return self.device if self.module is None else f"{self.device}/{self.module}"


def parse_username(username: str) -> Username:
    """Take ``username`` apart. Raises: UsernameRefused."""
    segments = username.split("/")
    tail = segments[-1]
    if tail.startswith("?"):
        query = tail[1:]
        named = len(segments) in (3, 4)
    elif len(segments) == 6 and username.lower().endswith(_AZURE_ML_TAIL):
        query = "&".join(segments[3:4]) + "&" + "/".join(segments[4:])  # a historic client that wrote '/' for '&'
        segments = [*segments[:3], query]
        named = True
    else:
        query = tail
        named = len(segments) in (3, 4) and "api-version=" in tail
    if not named:
        raise UsernameRefused(username, "expected {hub}/{device}[/{module}]/?api-version=...")
    bag: dict[str, str] = {}
    for pair in query.strip().split("&"):
        key, _, value = pair.partition("=")
        bag.setdefault(key, unquote(value))
    if not bag.get("api-version", "").strip():
        raise UsernameRefused(username, "api-version is missing")
    device = segments[1].strip()
    if not device:
        raise UsernameRefused(username, "the device id is empty")
    return Username(
        hub=segments[0],
        device=device,
        module=(segments[2].strip() or None) if len(segments) == 4 else None,
        api_version=bag["api-version"],
        client_type=bag.get("DeviceClientType", ""),
        model_id=bag.get("model-id", "").strip() or None,
    )
