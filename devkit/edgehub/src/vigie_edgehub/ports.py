"""The seams of the hub: what its service side gets, and is refused."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

import msgspec

Json = Any  # JSON of strangers (twins, manifests): its shape is theirs, not ours
JsonObject = dict[str, Json]


class RefusalCode(IntEnum):
    """Error codes of the IoT Hub REST by its names for them; each begins with the HTTP status."""

    ArgumentInvalid = 400004
    IotHubUnauthorizedAccess = 401002
    DeviceMaximumQueueDepthExceeded = 403004
    NotFound = 404000
    DeviceNotFound = 404001
    ModuleNotFound = 404010
    ConfigurationNotFound = 404011
    DeviceNotOnline = 404103
    MethodNotAllowed = 405000
    DeviceAlreadyExists = 409001
    ModuleAlreadyExistsOnDevice = 409301
    PreconditionFailed = 412001
    MessageTooLarge = 413001
    ServerError = 500001
    NotEmulated = 501000
    ModuleAnswerNotJson = 502000
    GatewayTimeout = 504101

    @property
    def http_status(self) -> int:
        return self // 1000


class HubRefusalError(Exception):
    """The hub says no; those that are caught by what they are about have classes of their own."""

    error_code = RefusalCode.ArgumentInvalid

    def __init__(self, message: str, error_code: RefusalCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code or self.error_code


class ModuleUnknownError(HubRefusalError):
    """No module of that id in the manifest, nor added later."""

    error_code = RefusalCode.ModuleNotFound


class DeviceUnknownError(HubRefusalError):
    """Neither the edge device nor a registered leaf device."""

    error_code = RefusalCode.DeviceNotFound


class TwinRefusedError(HubRefusalError):
    """A twin write beyond the limits (depth, key, value, size) or of a wrong shape."""


class ManifestRefusedError(HubRefusalError):
    """The deployment content is wrong; the old one stays in force."""


class MethodResult(msgspec.Struct, frozen=True):
    """``status`` is the module's own; ``payload`` its JSON, byte for byte (null when it sent none)."""

    status: int
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What modules and devices have in common. Keys are base64; times are seconds since the epoch (0: never)."""

    generation_id: str
    primary_key: str
    secondary_key: str
    etag: str
    connected: bool = False
    connection_state_updated_at: float = 0.0
    last_activity_at: float = 0.0


class ModuleIdentity(Identity, frozen=True, kw_only=True):
    module_id: str
    managed_by: str = "iotEdge"


DeviceStatus = Literal["enabled", "disabled"]


class DeviceIdentity(Identity, frozen=True, kw_only=True):
    """The edge device itself (``edge``), or a leaf device.

    ``device_scope`` is the edge device's own scope, or that of a leaf device's parent; ``waiting`` counts
    cloud-to-device messages that the device has not acknowledged.
    """

    device_id: str
    edge: bool = False
    status: DeviceStatus = "enabled"
    status_reason: str | None = None
    device_scope: str | None = None
    waiting: int = 0

    @property
    def parent_scopes(self) -> list[str]:
        return [self.device_scope] if self.device_scope and not self.edge else []


class Misbehaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the hub misbehaves from now on. The default is a well-behaved hub.

    ``delivery_delay_ms`` is spent per message and receiving endpoint, one message at a time, as a
    real hub does; ``ack_delay_ms`` holds PUBACKs back only. ``jitter`` (0..1) varies both by a
    share drawn from ``seed``; ``drop_probability`` (0..1) closes the sender's connection after a
    message, drawn from the same seed: the same traffic meets the same faults.
    """

    upstream_online: bool = True
    ack_delay_ms: float = 0.0
    delivery_delay_ms: float = 0.0
    jitter: float = 0.0
    drop_probability: float = 0.0
    seed: int = 0


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service REST listens on and whom it believes. ``port`` 0 picks a free one."""

    listen: str
    port: int
    policy_name: str
    policy_key: str  # base64
    hostnames: frozenset[str]  # accepted in a token's ``sr`` beside ``listen``, with and without the port
