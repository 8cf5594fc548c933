"""Size by the hub's arithmetic and by the client's."""

from __future__ import annotations

import pytest
from azure.iot.device import Message

from vigie.contracts.envelope import MESSAGE_LIMIT_BYTES
from vigie.messaging.size import body_limit_bytes


@pytest.mark.parametrize(
    ("properties", "message_id"),
    [
        ({}, None),
        ({"credit": "1"}, None),
        ({"a": "x" * 500, "é": "日本"}, "id-1"),
        ({f"k{n}": "v" for n in range(200)}, "m"),
    ],
    ids=["none", "one", "wide", "many"],
)
def test_a_body_of_exactly_the_limit_passes_both_checks(properties: dict[str, str], message_id: str | None) -> None:
    body = b"x" * body_limit_bytes("frames", properties, message_id)
    message = Message(body, message_id, "utf-8", "application/json", "frames")
    message.custom_properties.update(properties)
    system = {"$.on": "frames", "$.ct": "application/json", "$.ce": "utf-8", "$.cdid": "d" * 128, "$.cmid": "m" * 128}
    if message_id is not None:
        system["$.mid"] = message_id
    counted_by_the_hub = len(body) + sum(len(k.encode()) + len(v.encode()) for k, v in {**system, **properties}.items())
    assert message.get_size() <= MESSAGE_LIMIT_BYTES
    assert counted_by_the_hub <= MESSAGE_LIMIT_BYTES
