"""A message in the shape that IoT Hub's built-in endpoint gives it: names of properties, times and body.

Pure: values in, values out.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Literal

import msgspec

from vigie_edgehub.message import Message

# From the hub's names to those that a reader of the built-in endpoint sees; a name not listed stays as it is.
_ENDPOINT_NAMES = {
    "connectionDeviceId": "iothub-connection-device-id",
    "connectionModuleId": "iothub-connection-module-id",
    "messageId": "message-id",
    "cid": "correlation-id",
    "correlationId": "correlation-id",
    "userId": "user-id",
    "contentType": "content-type",
    "contentEncoding": "content-encoding",
    "outputName": "iothub-outputname",
    "messageSchema": "iothub-message-schema",
    "creationTime": "iothub-creation-time-utc",
    "ack": "iothub-ack",
    "operation": "iothub-operation",
}
_EDGE_ONLY = frozenset({"edgeMessageId", "edgeHubOriginInterface", "enqueuedTime"})
_AUTH_METHOD = '{{"scope":"{}","type":"sas","issuer":"iothub"}}'
_JSON_ENCODINGS = frozenset({"utf-8", "utf-16", "utf-32"})


class UpstreamRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One recorded message. Times are ISO 8601, UTC.

    ``enqueued_time`` is when the record (IoT Hub's place) took it, ``stored_time`` when the edge hub accepted it
    from the module. ``body`` is JSON as it was sent if its content type and encoding say JSON and it is,
    else a base64 string; ``body_encoding`` says which. ``module`` is empty for a message of a device itself; the
    system property ``iothub-connection-device-id`` names the device.
    """

    sequence_number: int
    enqueued_time: str
    stored_time: str
    module: str
    output: str | None
    body: msgspec.Raw
    body_encoding: Literal["json", "base64"]
    properties: dict[str, str]
    system_properties: dict[str, str]

    def body_bytes(self) -> bytes:
        """Return the body as bytes: decoded base64, or the JSON text in UTF-8."""
        if self.body_encoding == "json":
            return bytes(self.body)
        return base64.b64decode(msgspec.json.decode(self.body, type=str))


def endpoint_properties(message: Message) -> dict[str, str]:
    """Return the system properties under their endpoint names, without the enqueued time."""
    named = {_ENDPOINT_NAMES.get(k, k): v for k, v in message.system.items() if k not in _EDGE_ONLY}
    if message.output is not None:
        named.setdefault("iothub-outputname", message.output)
    if message.source_module:
        named.setdefault("iothub-connection-module-id", message.source_module)
    named["iothub-connection-auth-method"] = _AUTH_METHOD.format("module" if message.source_module else "device")
    named["iothub-message-source"] = message.kind
    return named


def build_record(
    *,
    sequence: int,
    enqueued_at: float,
    stored_at: float,
    module: str,
    output: str | None,
    body: bytes,
    properties: dict[str, str],
    system_properties: dict[str, str],
) -> UpstreamRecord:
    """Assemble what a reader sees. Times: seconds since the epoch. ``system_properties``: endpoint names."""
    enqueued_time = iso_time(enqueued_at)
    json_body = _as_json(body, system_properties)
    return UpstreamRecord(
        sequence_number=sequence,
        enqueued_time=enqueued_time,
        stored_time=iso_time(stored_at),
        module=module,
        output=output,
        body=json_body if json_body is not None else msgspec.Raw(b'"' + base64.b64encode(body) + b'"'),
        body_encoding="base64" if json_body is None else "json",
        properties=properties,
        system_properties={**system_properties, "iothub-enqueuedtime": enqueued_time},
    )


def to_json_line(record: UpstreamRecord) -> bytes:
    r"""Encode one record as one line, ``\n`` included."""
    return msgspec.json.encode(record) + b"\n"


def iso_time(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_json(body: bytes, system_properties: dict[str, str]) -> msgspec.Raw | None:
    content_type = system_properties.get("content-type", "").split(";")[0].strip().lower()
    encoding = system_properties.get("content-encoding", "").strip().lower()
    if content_type != "application/json" or encoding not in _JSON_ENCODINGS:
        return None
    try:
        text = body if encoding == "utf-8" else body.decode(encoding).encode()
        msgspec.json.decode(text)
        text.decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    # A raw line break in valid JSON stands only between tokens: a space keeps the meaning and the line.
    return msgspec.Raw(text.replace(b"\r", b" ").replace(b"\n", b" ").strip())
