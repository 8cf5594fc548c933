"""Leaf devices behind this hub: who they are, whether they may connect, and what the cloud sends them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from vigie_edgehub.message import Message, devicebound_endpoint, refuse_too_large
from vigie_edgehub.owner import leaf_owner
from vigie_edgehub.ports import (
    DeviceIdentity,
    DeviceStatus,
    DeviceUnknownError,
    HubRefusalError,
    RefusalCode,
    TwinRefusedError,
)
from vigie_edgehub.shell.admission import AdmissionRefusedError
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.keys import KEY_RULE, Keys, KeyStore, LeafDevice, draw_keys, is_key
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.sessions import MqttSession
from vigie_edgehub.state.twins import etag_text
from vigie_edgehub.store.documents import DocumentStore

MAX_DEVICES = 1_000
MAX_WAITING = 50
"""Cloud-to-device messages that wait for one device; IoT Hub refuses more."""

_TTL_S = 3_600.0  # IoT Hub's default
_ODD_CHARACTERS = "-:.+%_#*?!(),=@;$'"  # that IoT Hub allows beside letters and digits of ASCII


class Devices:
    """Lives in the hub's loop; the identities are in the key file."""

    def __init__(
        self,
        state: HubState,
        performer: Performer,
        documents: DocumentStore,
        keys: KeyStore,
        *,
        clock: Clock,
        on_removed: Callable[[str], None],
    ) -> None:
        """Args: on_removed: called with the client id of a device that was deleted."""
        self._state = state
        self._performer = performer
        self._documents = documents
        self._keys = keys
        self._clock = clock
        self._on_removed = on_removed

    @property
    def edge_scope(self) -> str:
        """What a leaf device names as its parent; the edge device's own ``deviceScope``."""
        return f"ms-azure-iot-edge://{self._state.sessions.device_id}-{self._keys.content.device.generation_id}"

    def names(self) -> list[str]:
        return sorted(self._known)

    def get(self, device: str) -> DeviceIdentity:
        """Raises: DeviceUnknownError."""
        known = self._known.get(device)
        if known is None:
            raise DeviceUnknownError(f"device '{device}' is unknown; this hub is device '{self._edge}'")
        session = self._state.sessions.of(leaf_owner(device))
        return DeviceIdentity(
            device_id=device,
            status=known.status,
            status_reason=known.status_reason,
            device_scope=self.edge_scope if known.child else None,
            waiting=self._waiting(device),
            **identity_fields(known.keys, session),
        )

    def put(
        self,
        device: str,
        *,
        primary_key: str | None = None,
        secondary_key: str | None = None,
        status: DeviceStatus = "enabled",
        status_reason: str | None = None,
        scope: str | None = None,
    ) -> DeviceIdentity:
        """Create or change. Keys that are None are kept or drawn anew. Raises: TwinRefusedError."""
        _check_id(device)
        for key in (primary_key, secondary_key):
            if key and not is_key(key):
                raise TwinRefusedError(f"a key of device '{device}' is not {KEY_RULE}")
        if scope not in (None, "", self.edge_scope):
            raise TwinRefusedError(f"parent scope '{scope}' is unknown; the edge device's scope is '{self.edge_scope}'")
        former = self._known.get(device)
        if former is None and len(self._known) >= MAX_DEVICES:
            raise TwinRefusedError(f"this hub keeps at most {MAX_DEVICES} devices")
        keys = draw_keys() if former is None else former.keys
        self._known[device] = LeafDevice(
            Keys(primary_key or keys.primary, secondary_key or keys.secondary, keys.generation_id, keys.etag + 1),
            status,
            status_reason,
            child=bool(scope),
        )
        self._keys.save()
        if status == "disabled" or not scope:
            self._state.links.drain_all(self._clock.now(), [leaf_owner(device)])
            self._performer.run()
        return self.get(device)

    def delete(self, device: str) -> None:
        """Remove identity, twin, session and what waits. Raises: DeviceUnknownError."""
        self.get(device)
        self._state.remove_owner(self._clock.now(), leaf_owner(device))
        self._documents.delete_twin(leaf_owner(device))
        del self._known[device]
        self._keys.save()
        self._on_removed(device)
        self._performer.run()

    def keys_of(self, device: str) -> Keys:
        """The keys with which ``device`` may connect. Raises: AdmissionRefusedError: it may not."""
        known = self._known.get(device)
        if known is None:
            raise AdmissionRefusedError(
                f"device {device!r} is not registered; './vigie hub device {device}' does it, or the service REST"
            )
        if not known.child:
            raise AdmissionRefusedError(
                f"device {device!r} has no parent: on a device edgeHub lets its own children in only; "
                f"set its deviceScope to '{self.edge_scope}', or './vigie hub device {device}'"
            )
        if known.status != "enabled":
            raise AdmissionRefusedError(f"device {device!r} is disabled")
        return known.keys

    def send(
        self,
        device: str,
        body: bytes,
        system: dict[str, str],
        application: dict[str, str],
        expires_at: float | None = None,
    ) -> None:
        """Queue a cloud-to-device message; it goes when the device asks for them.

        Args: expires_at: seconds since the epoch; None: an hour from now, as IoT Hub.
        Raises: DeviceUnknownError. HubRefusalError: too many wait, or it is too large.
        """
        self.get(device)
        if self._waiting(device) >= MAX_WAITING:
            raise HubRefusalError(
                f"{MAX_WAITING} messages wait for device '{device}' already; IoT Hub takes no more",
                RefusalCode.DeviceMaximumQueueDepthExceeded,
            )
        now = self._clock.now()
        message = Message(
            key=str(uuid.uuid4()),
            stored_at=now,
            source_module="",
            output=None,
            kind="Telemetry",
            system={"messageId": str(uuid.uuid4()), "to": f"/devices/{device}/messages/devicebound"} | system,
            application=application,
            body=body,
        )
        refuse_too_large(message)
        endpoint = devicebound_endpoint(leaf_owner(device))
        self._state.intake.deliver(now, endpoint, message, now + _TTL_S if expires_at is None else expires_at)
        self._performer.run()

    def purge(self, device: str) -> int:
        """Discard what waits for ``device``. Returns: how many messages. Raises: DeviceUnknownError."""
        self.get(device)
        gone = self._state.delivery.remove(devicebound_endpoint(leaf_owner(device)))
        self._performer.run()
        return gone

    @property
    def _known(self) -> dict[str, LeafDevice]:
        return self._keys.content.devices

    @property
    def _edge(self) -> str:
        return self._state.sessions.device_id

    def _waiting(self, device: str) -> int:
        endpoint = devicebound_endpoint(leaf_owner(device))
        queue = self._state.queues.by_endpoint.get(endpoint)
        return 0 if queue is None else len(queue) + self._state.delivery.in_flight(endpoint)


def _check_id(device: str) -> None:
    fits = device.isascii() and all(one.isalnum() or one in _ODD_CHARACTERS for one in device)
    if not fits or not 1 <= len(device) <= 128:
        raise TwinRefusedError(
            f"deviceId {device!r} is not valid; 1 to 128 ASCII letters, digits and {' '.join(_ODD_CHARACTERS)}"
        )


def identity_fields(keys: Keys, session: MqttSession | None) -> dict[str, Any]:
    """What the identities of modules and devices have in common."""
    return {
        "generation_id": keys.generation_id,
        "primary_key": keys.primary,
        "secondary_key": keys.secondary,
        "etag": etag_text(keys.etag),
        "connected": session is not None and session.link is not None,
        "connection_state_updated_at": session.connection_changed_at if session is not None else 0.0,
        "last_activity_at": session.last_activity_at if session is not None else 0.0,
    }
