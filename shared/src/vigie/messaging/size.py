"""How large a message is: by the hub's arithmetic and by the client's own check; both have to agree to it.

The hub counts the body and the keys and values of all properties. The client counts Python objects
(``sys.getsizeof``), so its limit for a body is 33 bytes of object header lower, and lower by each property.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vigie.contracts.envelope import CONTENT_ENCODING, CONTENT_TYPE, MESSAGE_LIMIT_BYTES

# Keys as they travel: $.on output name, $.mid message id, $.ct content type, $.ce content encoding; $.cdid and $.cmid
# are added by the hub for the sender's device and module.
_OUTPUT_KEY, _ID_KEY, _TYPE_KEY, _ENCODING_KEY, _DEVICE_KEY, _MODULE_KEY = (
    "$.on", "$.mid", "$.ct", "$.ce", "$.cdid", "$.cmid",
)  # fmt: skip
_HUB_ADDS_BYTES = 512  # ids of device and module (128 characters each at most) and the hub's own message id


def body_limit_bytes(output: str | None, properties: Mapping[str, str], message_id: str | None) -> int:
    """The largest body, in bytes, that may travel with these properties."""
    system = {_TYPE_KEY: CONTENT_TYPE, _ENCODING_KEY: CONTENT_ENCODING}
    if output is not None:
        system[_OUTPUT_KEY] = output
    if message_id is not None:
        system[_ID_KEY] = message_id
    everything = {**system, **properties, _DEVICE_KEY: "", _MODULE_KEY: ""}
    on_the_wire = sum(len(key.encode()) + len(value.encode()) for key, value in everything.items()) + _HUB_ADDS_BYTES
    in_the_client = sys.getsizeof(b"") + sum(sys.getsizeof(value) for value in (*system.values(), *properties.values()))
    return MESSAGE_LIMIT_BYTES - max(on_the_wire, in_the_client)
