"""A recorded message has the shape of IoT Hub's built-in endpoint."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.message import Message
from vigie_edgehub.upstream import UpstreamRecord, to_json_line
from vigie_edgehub.upstream.record import build_record, endpoint_properties

JSON_UTF8 = {"content-type": "application/json", "content-encoding": "utf-8"}


def record(body: bytes, system: dict[str, str]) -> Any:
    return build_record(
        sequence=7, enqueued_at=1_700_000_000.25, stored_at=1_700_000_000.0, module="sync", output="telemetry",
        body=body, properties={"k": "v"}, system_properties=system,
    )  # fmt: skip


def test_json_is_embedded_when_type_and_encoding_say_json() -> None:
    line = msgspec.json.decode(to_json_line(record(b'{"temperature":21.50}', JSON_UTF8)))
    assert line == {
        "sequenceNumber": 7,
        "enqueuedTime": "2023-11-14T22:13:20.250Z",
        "storedTime": "2023-11-14T22:13:20.000Z",
        "module": "sync",
        "output": "telemetry",
        "body": {"temperature": 21.5},
        "bodyEncoding": "json",
        "properties": {"k": "v"},
        "systemProperties": {**JSON_UTF8, "iothub-enqueuedtime": "2023-11-14T22:13:20.250Z"},
    }


def test_json_keeps_its_numbers_digit_by_digit() -> None:
    assert b'{"n":1.50e2, "big":12345678901234567890123}' in to_json_line(
        record(b'{"n":1.50e2,\n"big":12345678901234567890123}', JSON_UTF8)
    )


@pytest.mark.parametrize(
    ("system", "body"),
    [
        ({}, b'{"a":1}'),
        ({"content-type": "application/json"}, b'{"a":1}'),
        ({"content-type": "text/plain", "content-encoding": "utf-8"}, b"hello"),
        (JSON_UTF8, b'{"a":'),
        (JSON_UTF8, b""),
        (JSON_UTF8, b'"\xff\xfe"'),
        (JSON_UTF8, b"[" * 100_000),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b"),
    ],
    ids=["no type", "no encoding", "text", "broken", "empty", "not utf-8", "too deep", "gzip"],
)
def test_anything_else_is_base64(system: dict[str, Any], body: bytes) -> None:
    made = record(body, system)
    assert made.body_encoding == "base64"
    assert base64.b64decode(msgspec.json.decode(made.body)) == made.body_bytes() == body


@pytest.mark.parametrize("encoding", ["utf-16", "UTF-32"])
def test_other_unicode_encodings_of_json_are_read_too(encoding: str) -> None:
    made = record('{"ä":1}'.encode(encoding), {"content-type": "application/json", "content-encoding": encoding})
    assert msgspec.json.decode(made.body) == {"ä": 1}


def test_system_properties_get_their_endpoint_names() -> None:
    named = endpoint_properties(
        Message(
            key="k", source_module="A", output="out", kind="twinChangeEvents", body=b"", stored_at=0.0,
            application={},
            system={
                "connectionDeviceId": "dev", "connectionModuleId": "A", "messageId": "m1", "cid": "c1", "userId": "u",
                "contentType": "application/json", "contentEncoding": "utf-8", "edgeMessageId": "guid",
                "absolute-expiry-time": "t", "dt-subject": "s",
            },
        )
    )  # fmt: skip
    assert named == {
        "iothub-connection-device-id": "dev",
        "iothub-connection-module-id": "A",
        "iothub-connection-auth-method": '{"scope":"module","type":"sas","issuer":"iothub"}',
        "iothub-message-source": "twinChangeEvents",
        "iothub-outputname": "out",
        "message-id": "m1",
        "correlation-id": "c1",
        "user-id": "u",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "absolute-expiry-time": "t",
        "dt-subject": "s",
    }


@given(
    body=st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode), st.just(b'{"a":[1,\r\n2]}')),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "", "latin-1"]),
)
def test_every_body_becomes_one_line_that_decodes(body: bytes, encoding: str) -> None:
    line = to_json_line(record(body, {"content-type": "application/json", "content-encoding": encoding}))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    msgspec.json.decode(line, type=UpstreamRecord)
