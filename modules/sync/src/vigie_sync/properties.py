"""Application properties of an upstream message: what IoT Hub routes by without reading the body.

The attributes of CloudEvents 1.0 go with them under their own names, as its MQTT binding has it.
"""

from __future__ import annotations

import msgspec

# The longest of each that may occur, so that a body is made small enough before its properties are known.
ROOM = {
    "specversion": "1.0",
    "id": "0" * 40,
    "source": "x" * 260,
    "type": "vigie.telemetry.1",
    "severity": "alert",
    "camera": "x" * 64,
    "event": "camera-degraded",
}


class _Item(msgspec.Struct):
    camera: str = ""
    severity: str = "event"
    type: str = ""


class _Message(msgspec.Struct):
    schema: str
    items: list[_Item]


_decoder = msgspec.json.Decoder(_Message)


def properties_of(body: bytes, message_id: str, source: str) -> dict[str, str]:
    """The same for the same body. ``severity`` is the highest of the items; ``camera`` and ``event``: if all agree."""
    message = _decoder.decode(body)
    found = {
        "specversion": "1.0",
        "id": message_id,
        "source": source,
        "type": message.schema.replace("/", "."),
    }
    if {item.type for item in message.items} != {""}:
        found["severity"] = "alert" if any(item.severity == "alert" for item in message.items) else "event"
    for name, values in (
        ("camera", {item.camera for item in message.items}),
        ("event", {item.type for item in message.items}),
    ):
        # Names and values are ASCII in IoT Hub's routing; a camera's name is by its own rule.
        if len(values) == 1 and (value := values.pop()) and value.isascii():
            found[name] = value
    return found
