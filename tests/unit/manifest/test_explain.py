"""`vigie manifest route`: where a message goes and why."""

from __future__ import annotations

from typing import Any

import pytest

from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.explain import Explanation, explain, message_for, source_path
from vigie_edgehub.routes.config import parse_edgehub_desired

TO_SYNC = 'INTO BrokeredEndpoint("/modules/sync/inputs/in")'


def explained(
    routes: dict[str, Any],
    source: str,
    body: bytes | None = None,
    props: dict[str, str] | None = None,
    system: dict[str, str] | None = None,
) -> Explanation:
    desired = {"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}
    message = message_for(source, body, props or {}, system or {})
    return explain(parse_edgehub_desired(desired), ["camera", "sync"], message)


@pytest.mark.parametrize(
    ("short", "path"),
    [
        ("camera/frames", "/messages/modules/camera/outputs/frames"),
        ("camera", "/messages/modules/camera"),
        ("/messages/modules/camera/outputs/frames/", "/messages/modules/camera/outputs/frames"),
        ("/messages", "/messages"),
        ("/twinChangeNotifications", "/twinChangeNotifications"),
    ],
)
def test_a_source_has_a_short_form(short: str, path: str) -> None:
    assert source_path(short) == path


@pytest.mark.parametrize("source", ["/messages/events", "/message", "/messages/modules/a/inputs/b", "a//b", "/", ""])
def test_what_no_message_comes_from_is_refused(source: str) -> None:
    with pytest.raises(ManifestError, match="is not a place that messages come from"):
        source_path(source)


def test_a_message_that_no_route_takes_is_said_to_be_dropped() -> None:
    found = explained({"r": f"FROM /messages/modules/camera/outputs/frames {TO_SYNC}"}, "camera/other")
    assert found.copies == []
    assert "dropped" in found.warnings[0]
    assert found.verdicts[0].why == "takes messages from /messages/modules/camera/outputs/frames"


@pytest.mark.parametrize(
    ("condition", "body", "props", "system", "taken", "why"),
    [
        ("$body.score > 0.5", b'{"score": 0.9}', {}, {}, True, "$body.score is 0.9"),
        ("$body.score > 0.5", b'{"score": 0.1}', {}, {}, False, "$body.score is 0.1"),
        ("$body.score > 0.5", b'{"score": null}', {}, {}, True, "$body.score is null"),
        ("$body.a.b = 'x'", b'{"score": 1}', {}, {}, False, "$body.a.b is absent"),
        ("$body.score > 0.5", b'{"score": 1}', {}, {"contentType": "text/plain"}, False, "contentType is 'text/plain'"),
        ("$body.score > 0.5", b'{"score": 1}', {}, {"contentEncoding": "ascii"}, False, "contentEncoding is 'ascii'"),
        ("$body.score > 0.5", b"[1]", {}, {}, False, "it is not a JSON object"),
        ("level = 'alert'", None, {"level": "alert"}, {}, True, "level is 'alert'"),
        ("level = 'alert'", None, {}, {}, False, "level is undefined"),
        ("$contentType = 'application/json'", b"{}", {}, {}, True, "$contentType is 'application/json'"),
        ("$outputName = 'frames'", None, {}, {}, True, "$outputName is 'frames'"),
        ("1 = 2", None, {}, {}, False, "it names nothing"),
        ("NOT (as_number(level) > 3 AND a = b)", None, {"level": "2"}, {}, True, "level is '2'; a is undefined"),
    ],
)
def test_a_condition_is_explained_by_what_its_names_are_worth(
    condition: str, body: bytes | None, props: dict[str, str], system: dict[str, str], taken: bool, why: str
) -> None:
    found = explained({"r": f"FROM /messages/* WHERE {condition} {TO_SYNC}"}, "camera/frames", body, props, system)
    assert found.verdicts[0].taken is taken, found
    assert why in found.verdicts[0].why
    assert bool(found.copies) is taken


def test_two_routes_to_one_endpoint_give_one_copy_by_the_better_priority() -> None:
    routes = {
        "all": f"FROM /messages/* {TO_SYNC}",
        "first": {"route": f"FROM /messages/modules/camera {TO_SYNC}", "priority": 1, "timeToLiveSecs": 5},
    }
    found = explained(routes, "camera/frames")
    assert [(copy.endpoint, copy.route, copy.priority, copy.ttl_s) for copy in found.copies] == [
        ("sync/in", "first", 1, 5)
    ]
    assert found.verdicts[0].why == "matches, but sync/in gets one copy only, by route 'first'"


def test_a_target_that_is_not_there_and_a_message_that_is_too_large_are_said() -> None:
    routes = {"r": 'FROM /messages/* INTO BrokeredEndpoint("/modules/gone/inputs/in")'}
    found = explained(routes, "camera/frames", b'{"a": "' + b"x" * 300_000 + b'"}')
    assert any("there is no module 'gone'" in line for line in found.warnings)
    assert any("acknowledges and drops" in line for line in found.warnings)


def test_a_time_to_live_of_the_whole_hub_is_told_where_the_route_has_none() -> None:
    found = explained({"r": "FROM /messages/* INTO $upstream"}, "camera/frames")
    assert found.copies[0].ttl_s == 7200
    assert any("no priority" in line for line in found.warnings)
