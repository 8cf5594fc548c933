"""The WHERE language in the running hub: conformance 18 to 20.

Every condition is a route of its own, and one message tells which of them hold.

The whole table of conditions is in tests/unit/hub/routes; this is the part that a message on the wire can show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.hub import manifest, running_hub
from support.routing_bench import RoutingBench, routing_bench
from vigie.errors import HubAnswerError


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutingBench]:
    with (
        running_hub(tmp_path_factory.mktemp("conditions"), manifest(modules=["sink", "probe"])) as hub,
        routing_bench(hub, "sink") as bench,
    ):
        yield bench


def holding(bench: RoutingBench, conditions: list[str], body: bytes = b"", **wire: str) -> list[str]:
    """Those of ``conditions`` whose route delivered the message."""
    bench.route(
        *(
            f"FROM /messages WHERE ({condition}) AND NOT is_defined($connectionModuleId) "
            f"INTO BrokeredEndpoint('/modules/sink/inputs/c{n}')"
            for n, condition in enumerate(conditions)
        )
    )
    bench.send(None, body=body, **wire)
    received = bench.received()
    return [condition for n, condition in enumerate(conditions) if f"sink/c{n}" in received]


def test_functions_operators_and_literals_decide(bench: RoutingBench) -> None:  # 18
    true = [
        "kind = 'alert'",
        'KIND = "alert"',
        "kind <> 'calm' and kind != 'calm'",
        "as_number(temp) * 2 + 1 = 7",
        "0x1F = 31",
        "'\\u0041' = 'A'",
        "'it\\'s' = \"it's\"",
        "'a' || kind || 'b' = 'aalertb'",
        "(nothing ?? 'x') = 'x'",
        "true OR nothing = 'x'",
        "NOT (false AND nothing = 'x')",
        "(null and true) = null",
        "not null",
        "substring(kind, 0, 2) = 'al' AND index_of(kind, 'r') = 3",
        "starts_with(lower(Upper), 'hel') AND ends_with(Upper, 'LO') AND contains(Upper, 'LL')",
        "length(concat(kind, Upper)) = 10",
        "power(2, 3) = 8 AND square(3) = 9 AND sqrt(16) = 4 AND abs(-1) = 1 AND sign(-2) = -1",
        "floor(1.9) = 1 AND ceiling(1.1) = 2 AND exp(0) = 1",
        "is_string(kind) AND is_number(3) AND is_bool(true) AND is_null(null) AND is_defined(kind)",
        "is_defined(3 % 0) = false",
    ]
    others = [
        "kind = 'ALERT'",
        "nothing = 'x'",
        "nothing <> 'x'",
        "NOT (nothing = 'x')",
        "true AND nothing = 'x'",
        "undefined",
        "null or false",
        "is_string(nothing)",
        "as_number(kind) = 3",
        "contains(nothing, 'x')",
    ]
    assert holding(bench, true + others, kind="alert", temp="3", Upper="HELLO") == true


@pytest.mark.parametrize(
    "condition", ["temp > 50", "kind = 3", "3 + true = 4", "NOT kind = 'x'", "length(3) = 1", "twin_change_includes(a)"]
)
def test_a_type_clash_is_refused_when_the_routes_are_set(bench: RoutingBench, condition: str) -> None:  # 18
    with pytest.raises(HubAnswerError, match="column"):
        bench.route(f"FROM /messages WHERE {condition} INTO $upstream")
    assert bench.reported_status()["code"] == 400


BODY = {
    "prop": "x",
    "n": 50,
    "list": [{"m": 1}, {"m": 2}],
    "nothing": None,
    "flag": True,
    "when": "2026-11-20T18:00:00Z",
}
PATHS_TRUE = [
    "$body.prop = 'x'",
    "$BODY.n > 40",
    "$body.list[1].m = 2",
    "$body.flag",
    "$body.nothing = null",
    "$body.absent = null",
    "$body.n <> '50'",
]
PATHS_OTHER = ["$body.prop = 'y'", "$body.list = null", "$body.when <> 'x'", "$body.n = '50'", "$body.list[0].m = 2"]


@pytest.mark.parametrize(("encoding", "codec"), [("utf-8", "utf-8"), ("UTF-16", "utf-16-le"), ("utf-32", "utf-32-le")])
def test_body_paths_are_read_in_three_encodings(bench: RoutingBench, encoding: str, codec: str) -> None:  # 19
    body = json.dumps(BODY).encode(codec)
    assert holding(bench, PATHS_TRUE + PATHS_OTHER, body, _ct="application/json", _ce=encoding) == PATHS_TRUE


@pytest.mark.parametrize(
    "wire",
    [{}, {"_ct": "application/json"}, {"_ce": "utf-8"}, {"_ct": "text/plain", "_ce": "utf-8"}],
    ids=["neither", "no encoding", "no content type", "another content type"],
)
def test_without_json_content_type_and_encoding_no_body_path_holds(
    bench: RoutingBench, wire: dict[str, Any]
) -> None:  # 19
    assert holding(bench, PATHS_TRUE, json.dumps(BODY).encode(), **wire) == []


def test_a_body_that_is_no_json_object_lets_no_body_path_hold(bench: RoutingBench) -> None:  # 19
    assert holding(bench, PATHS_TRUE, b"[1]", _ct="application/json", _ce="utf-8") == []


def test_an_application_property_shadows_and_braces_force_the_system_one(bench: RoutingBench) -> None:  # 20
    true = [
        "$body.prop = 'shadow'",
        "{$body.prop} = 'x'",
        "$contentType = 'mine'",
        "{$contentType} = 'application/json'",
        "$messageId = 'm1'",
    ]
    wire = {"$body.prop": "shadow", "$contentType": "mine", "_ct": "application/json", "_ce": "utf-8", "_mid": "m1"}
    assert holding(bench, [*true, "{$body.prop} = 'shadow'"], json.dumps(BODY).encode(), **wire) == true
