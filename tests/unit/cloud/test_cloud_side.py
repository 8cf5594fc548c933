"""deploy/cloud on the messages that the modules make: routes hold, names exist, the consumer keeps each event once."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.actions_module import events_message, zone_event
from support.checkout import ROOT
from vigie.contracts.events import CameraDown
from vigie_edgehub.routes.message import RoutedMessage
from vigie_edgehub.routes.table import compile_route
from vigie_sync.properties import properties_of

CLOUD = ROOT / "deploy/cloud"
ROUTES = {route["name"]: route["condition"] for route in json.loads((CLOUD / "routes.json").read_text())}
TABLES = (CLOUD / "adx/tables.kql").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs/schemas/vigie.events-1.json").read_text(encoding="utf-8"))
ITEMS = [
    one["properties"] for one in SCHEMA["$defs"].values() if "key" in one.get("properties", {})
]  # fmt: skip
MEMBERS = set().union(*ITEMS)
TYPES = {one["type"]["enum"][0] for one in ITEMS}


def down(severity: str) -> CameraDown:
    at = "2026-11-28T10:42:00.000Z"
    return CameraDown(
        key="event/camera-down/1", id="d1", phase="new", severity=severity, camera="gate", at=at, started_at=at,
        seconds=0.0,
    )  # fmt: skip


def routes_of(body: bytes, *, encoding: str = "utf-8") -> set[str]:
    """Names of the routes that take a message as sync sends it."""
    plain = gzip.decompress(body) if encoding == "gzip" else body
    properties = properties_of(plain, "0badc0de-1", "/device/sync")
    system = {"contentType": "application/json", "contentEncoding": encoding}
    message = RoutedMessage("/messages/modules/sync/outputs/telemetry", properties, system, body)
    return {
        name
        for name, condition in ROUTES.items()
        if compile_route(f"FROM /messages/* WHERE {condition} INTO $upstream").matches(message)
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (events_message(1, [zone_event(1)]), {"vigie-events"}),
        (events_message(1, [zone_event(1), zone_event(2, severity="alert")]), {"vigie-events", "vigie-alerts"}),
        (events_message(1, [down("event")]), {"vigie-events", "vigie-cameras"}),
        (events_message(1, [down("alert")]), {"vigie-events", "vigie-cameras", "vigie-alerts"}),
        (events_message(1, []).replace(b"vigie.events/1", b"vigie.telemetry/1"), {"vigie-detections"}),
    ],
    ids=["event", "alert among events", "camera", "camera as alert", "boxes"],
)
def test_a_message_takes_the_routes_that_are_meant_for_it(body: Any, expected: set[str]) -> None:
    assert routes_of(body) == expected


def test_compressed_bodies_take_every_route_that_asks_for_properties_alone() -> None:
    assert routes_of(gzip.compress(events_message(1, [down("alert")])), encoding="gzip") == {
        "vigie-events", "vigie-alerts",
    }  # fmt: skip


def columns() -> list[str]:
    declared = re.search(r"create-merge table VigieEvents \(([^)]*)\)", TABLES)[1]
    return [one.split(":")[0].strip() for one in declared.split(",")]


def test_the_table_is_made_of_members_that_events_have_in_the_order_of_its_columns() -> None:
    read = set(re.findall(r"\bitem\.([a-z_]+)", TABLES))
    assert len(read) > 12
    assert read - MEMBERS == set()
    assert set(re.findall(r"\bBody\.([a-z_]+)", TABLES)) <= SCHEMA_HEAD()
    projected = re.search(r"\| project\n(.*?)\n}", TABLES, re.DOTALL)[1]
    assert re.findall(r"^\s+([A-Z]\w+)(?: =|,)", projected, re.MULTILINE) == columns()


def SCHEMA_HEAD() -> set[str]:  # noqa: N802 - a constant that is looked up
    head = SCHEMA if "properties" in SCHEMA else SCHEMA["$defs"][SCHEMA["$ref"].rpartition("/")[2]]
    return set(head["properties"])


@pytest.mark.parametrize("name", ["crossings-per-hour", "zone-stays", "cameras-without-pictures"])
def test_a_query_names_columns_types_and_phases_that_are_there(name: str) -> None:
    query = "\n".join(
        line for line in (CLOUD / f"adx/{name}.kql").read_text().splitlines() if not line.startswith("//")
    )
    own = set(re.findall(r"\b([A-Z]\w*) =(?!=)", query))
    words = set(re.findall(r"\b[A-Z]\w+", re.sub(r"'[^']*'", "", query))) - own - {"VigieFacts"}
    assert words
    assert words - set(columns()) == set()
    quoted = set(re.findall(r"'([^']+)'", query))
    assert quoted - TYPES - {"new", "update", "end"} == set()


def test_the_stream_analytics_job_names_members_and_types_that_are_there() -> None:
    job = (CLOUD / "stream-analytics/alerts.asaql").read_text()
    read = set(re.findall(r"ArrayValue\.\[?([a-z_]+)", job))
    assert len(read) > 8
    assert read - MEMBERS == set()
    assert set(re.findall(r"\[type\] = '([^']+)'", job)) <= TYPES


def consume(file: Path, *lines: dict, keep_days: float = 36500) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(CLOUD / "consume.py"), str(file), "--keep-days", str(keep_days)],
        input="".join(json.dumps(line) + "\n" for line in lines), capture_output=True, text=True, check=False,
    )  # fmt: skip


def exported(body: bytes, *, encoding: str = "utf-8") -> dict:
    """As `./vigie upstream export` has it."""
    system = {"content-encoding": encoding, "iothub-connection-device-id": "line-7"}
    if encoding == "gzip":
        text = base64.b64encode(gzip.compress(body)).decode()
        return {"body": text, "bodyEncoding": "base64", "systemProperties": system}
    return {"body": json.loads(body), "bodyEncoding": "json", "systemProperties": system}


def test_the_consumer_keeps_each_event_once_compressed_or_not_in_one_run_or_in_two(tmp_path: Path) -> None:
    import sqlite3

    first = exported(events_message(1, [zone_event(1), zone_event(2)]))
    again = exported(events_message(9, [zone_event(2), zone_event(3)]), encoding="gzip")
    boxes = exported(events_message(2, []).replace(b"vigie.events/1", b"vigie.telemetry/1"))
    file = tmp_path / "events.sqlite"
    assert consume(file, first, first, again, boxes).stdout == "4 messages, 3 new events, 0 removed for their age\n"
    assert consume(file, again).stdout == "1 messages, 0 new events, 0 removed for their age\n"
    rows = sqlite3.connect(file).execute("SELECT key, device, camera, type, severity, item FROM events").fetchall()
    assert {row[0] for row in rows} == {zone_event(n).key for n in (1, 2, 3)}
    assert {row[1:5] for row in rows} == {("line-7", "gate", "zone", "event")}
    assert msgspec.json.decode(rows[0][5])["zone"] == "dock"


def test_the_consumer_removes_what_is_too_old_and_stops_at_what_it_does_not_understand(tmp_path: Path) -> None:
    file = tmp_path / "events.sqlite"
    old = exported(events_message(1, [zone_event(1, at="2020-01-01T00:00:00.000Z")]))
    assert consume(file, old, keep_days=30).stdout == "1 messages, 1 new events, 1 removed for their age\n"
    strange = consume(file, {"body": {"no": "envelope"}})
    assert (strange.returncode, strange.stderr) == (1, "consume: line 1: no envelope with schema and items\n")
