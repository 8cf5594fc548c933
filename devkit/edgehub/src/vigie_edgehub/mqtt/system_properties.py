"""The two names of a system property: on the wire (``$.ct``) and inside the hub (``contentType``).

Source: edgeHub, SystemProperties.cs. The maps differ on purpose: ``$.on`` and ``$.ifid`` come in and
do not go out to another module; ``$.cdid`` and ``$.cmid`` go out and are plain application properties
when somebody sends them in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

CONNECTION_DEVICE_ID: Final = "connectionDeviceId"
CONNECTION_MODULE_ID: Final = "connectionModuleId"
CONTENT_ENCODING: Final = "contentEncoding"
CONTENT_TYPE: Final = "contentType"
MESSAGE_ID: Final = "messageId"
MESSAGE_TYPE: Final = "messageType"
OUTPUT_NAME: Final = "outputName"
TWIN_REPORTER_DEVICE_ID: Final = "rpSenderDeviceId"
TWIN_REPORTER_MODULE_ID: Final = "rpSenderModuleId"

FROM_WIRE = MappingProxyType(
    {
        "$.exp": "absolute-expiry-time",
        "$.cid": "cid",
        "$.mid": MESSAGE_ID,
        "$.to": "to",
        "$.uid": "userId",
        "ack": "ack",
        "$.on": OUTPUT_NAME,
        "$.ct": CONTENT_TYPE,
        "$.ce": CONTENT_ENCODING,
        "$.schema": "messageSchema",
        "iothub-operation": "operation",
        "$.ctime": "creationTime",
        "$.ifid": "iothub-interface-id",
        "$.sub": "dt-subject",
    }
)
"""What a sender may set, by its name on the wire; every other key is an application property."""

TO_WIRE = MappingProxyType(
    {name: wire for wire, name in FROM_WIRE.items() if wire not in {"$.on", "$.ifid"}}
    | {
        CONNECTION_DEVICE_ID: "$.cdid",
        CONNECTION_MODULE_ID: "$.cmid",
        TWIN_REPORTER_DEVICE_ID: "$.cdid",
        TWIN_REPORTER_MODULE_ID: "$.cmid",
    }
)
"""What a receiving module is told, by the hub's name. The reporter's ids, where there are any, take
the place of the connection's: a twin notification comes from whoever reported, not from ``$edgeHub``."""
