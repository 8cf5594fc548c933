"""A twin as the service shows it: ids, state of the identity, tags, properties with their versions."""

from __future__ import annotations

from vigie_edgehub.ports import DeviceIdentity, JsonObject, ModuleIdentity
from vigie_edgehub.state.twins import Twin, etag_text, service_properties, timestamp

_NEVER = "0001-01-01T00:00:00Z"


def twin_view(twin: Twin, identity: ModuleIdentity | DeviceIdentity, *, device_id: str) -> JsonObject:
    """The service view. ``device_id``: the device, or the module's device."""
    view: JsonObject = {"deviceId": device_id}
    if isinstance(identity, ModuleIdentity):
        view["moduleId"] = identity.module_id
    view |= {
        "etag": etag_text(twin.etag),
        "deviceEtag": identity.etag,
        "version": twin.version,
        "status": "enabled",
        "statusUpdateTime": _NEVER,
        "connectionState": "Connected" if identity.connected else "Disconnected",
        "lastActivityTime": timestamp(identity.last_activity_at) if identity.last_activity_at else _NEVER,
        "cloudToDeviceMessageCount": 0,
        "authenticationType": "sas",
        "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
        "modelId": "",
    }
    if isinstance(identity, DeviceIdentity):
        view |= {
            "status": identity.status,
            "statusReason": identity.status_reason,
            "cloudToDeviceMessageCount": identity.waiting,
            "capabilities": {"iotEdge": identity.edge},
            "deviceScope": identity.device_scope,
            "parentScopes": identity.parent_scopes,
        }
    return view | {"tags": twin.tags, "properties": service_properties(twin)}
