"""A message as the hub keeps it: between the sender's topic and the receivers' topics."""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie_edgehub.ports import HubRefusalError, RefusalCode

MAX_MESSAGE_BYTES = 262_144
"""Body and all property keys and values, as edgeHub counts (docs/edgehub-facts.md, Limits of messages)."""

UPSTREAM = "$upstream"
"""Endpoint name of the cloud. Others are ``module/input`` and, for a leaf device, ``/device/devicebound``."""

_DEVICEBOUND = "devicebound"

MessageSource = Literal["Telemetry", "twinChangeEvents"]


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True, array_like=True):
    """``key`` is unique for ever (edgeMessageId); ``stored_at`` is in seconds since the epoch.

    ``system`` has the hub's names (messageId, contentType, connectionModuleId, ...), never the
    wire's (``$.mid``); ``application`` has the sender's own properties, in the sender's order.
    ``source_module`` is empty where a device itself is the sender; ``system`` says which one.
    """

    key: str
    stored_at: float
    source_module: str
    output: str | None
    kind: MessageSource
    system: dict[str, str]
    application: dict[str, str]
    body: bytes


class CopyTarget(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where one copy goes. ``expires_at``: seconds since the epoch, None for never."""

    endpoint: str
    priority: int
    expires_at: float | None


def message_bytes(message: Message) -> int:
    """The size the 262,144-byte limit counts: body, and every key and value in UTF-8.

    The sender's ids count, they are system properties by then; the message key does not.
    """
    return len(message.body) + properties_bytes(message)


def refuse_too_large(message: Message) -> None:
    """Raises: HubRefusalError: beyond the limit."""
    if message_bytes(message) > MAX_MESSAGE_BYTES:
        raise HubRefusalError(
            f"the message with its properties is larger than {MAX_MESSAGE_BYTES} bytes", RefusalCode.MessageTooLarge
        )


def properties_bytes(message: Message) -> int:
    """What of `message_bytes` is not the body."""
    total = 0
    for properties in (message.system, message.application):
        for key, value in properties.items():
            total += _utf8(key) + _utf8(value)
    return total


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def input_endpoint(module: str, input_name: str) -> str:
    return f"{module}/{input_name}"


def devicebound_endpoint(owner: str) -> str:
    """Where cloud-to-device messages for a leaf device wait; ``owner`` as in `owner.leaf_owner`."""
    return f"{owner}/{_DEVICEBOUND}"


def is_devicebound(endpoint: str) -> bool:
    return endpoint.startswith("/")


def endpoint_owner(endpoint: str) -> str:
    """Whose endpoint it is; `$upstream` has no owner and answers itself."""
    if endpoint.startswith("/"):
        return endpoint.removesuffix(f"/{_DEVICEBOUND}")
    return endpoint.partition("/")[0]
