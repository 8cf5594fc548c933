"""What a routing query can ask of a message without its body."""

from __future__ import annotations

import json

import pytest

from vigie_sync.properties import ROOM, properties_of


def message(*items: dict, schema: str = "vigie.events/1") -> bytes:
    return json.dumps(
        {"schema": schema, "items": [{"camera": "dock", "type": "zone", **one} for one in items]}
    ).encode()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{}], {"severity": "event", "camera": "dock", "event": "zone"}),
        ([{}, {"severity": "alert"}], {"severity": "alert", "camera": "dock", "event": "zone"}),
        ([{}, {"camera": "yard"}], {"severity": "event", "event": "zone"}),
        ([{}, {"type": "line"}], {"severity": "event", "camera": "dock"}),
        ([{"camera": "d\u00f6ck"}], {"severity": "event", "event": "zone"}),
    ],
    ids=["one", "an alert among them", "two cameras", "two kinds", "not ascii"],
)
def test_severity_is_the_highest_and_what_differs_is_left_out(items: list[dict], expected: dict[str, str]) -> None:
    found = properties_of(message(*items), "0badc0de-7", "/device/sync")
    always = {"specversion": "1.0", "id": "0badc0de-7", "source": "/device/sync", "type": "vigie.events.1"}
    assert found == always | expected


def test_boxes_have_no_severity() -> None:
    body = json.dumps({"schema": "vigie.telemetry/1", "items": [{"camera": "dock", "seq": 1}]}).encode()
    found = properties_of(body, "0badc0de-7", "/device/sync")
    assert (found["type"], found["camera"]) == ("vigie.telemetry.1", "dock")
    assert "severity" not in found
    assert "event" not in found


def test_the_room_that_is_kept_holds_the_longest_properties() -> None:
    body = message({"camera": "c" * 64, "type": "aggregate", "severity": "alert"}, schema="vigie.telemetry/1")
    found = properties_of(body, "0badc0de-18446744073709551615", "/" + "d" * 128 + "/" + "m" * 128)
    assert found.keys() == ROOM.keys()
    assert all(len(value) <= len(ROOM[name]) for name, value in found.items())
