"""``$body`` paths: what they find, how it compares, and when there is no body to ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.errors import RouteRefusedError
from vigie_edgehub.routes.body import find, open_body, parse_body_path
from vigie_edgehub.routes.conditions import _Compiler
from vigie_edgehub.routes.message import RoutedMessage
from vigie_edgehub.routes.parser import parse_route
from vigie_edgehub.routes.table import compile_route

BODY = {
    "site": {
        "temp": 50,
        "cold": -50.4,
        "name": "Hall 3",
        "town": "Brest",
        "on": True,
        "off": False,
        "nothing": None,
        "when": "2026-11-20T18:00:00.000Z",
        "day": "2026-11-20",
        "series": [20, 30, [40, 50]],
        "parts": [{"label": "bolt", "n": 4}, {"label": "nut", "n": 3}],
        "shadowed": 50,
        "large": 123456789012345678901234567890,
    }
}


def message(
    body: bytes | None = None, content_type: str | None = "application/json", encoding: str | None = "utf-8"
) -> RoutedMessage:
    system = {"messageId": "m"}
    if content_type is not None:
        system["contentType"] = content_type
    if encoding is not None:
        system["contentEncoding"] = encoding
    app = {"Town": "Brest", "$body.site.shadowed": "100", "count": "110"}
    return RoutedMessage("/messages", app, system, json.dumps(BODY).encode() if body is None else body)


def result(condition: str, of: RoutedMessage | None = None) -> bool | None:
    text = f"FROM /messages WHERE {condition} INTO $upstream"
    value = _Compiler(text).compile(parse_route(text).condition).run(message() if of is None else of)
    return value if isinstance(value, bool) else None


TRUE, FALSE, UNDEFINED = True, False, None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("$body.site.temp = 50", TRUE),
        ("50 >= $body.site.temp", TRUE),
        ("$BODY.site.temp < 50", FALSE),
        ("$body.SITE.temp = 50", FALSE),  # names inside the body keep their case
        ("$body.site.temp = 40 + 10", TRUE),
        ("$body.site.temp = '50'", FALSE),
        ("$body.site.temp <> '50'", TRUE),
        ("$body.site.large > 1e29", TRUE),
        ("$body.site.series[0] = 20", TRUE),
        ("$body.site.series[0] + $body.site.series[1] = $body.site.temp", TRUE),
        ("$body.site.series[1] * $body.site.series[0] = 600", TRUE),
        ("$body.site.series[1] / $body.site.series[0] = 1.5", TRUE),
        ("$body.site.series[1] - 5 = 25", TRUE),
        ("$body.site.series[2][1] = 50", TRUE),
        ("$body.site.parts[1].label = 'nut'", TRUE),
        ("$body.site.name = 'Hall 3'", TRUE),
        ("$body.site.name < 'Hall 4'", TRUE),
        ("$body.site.town = Town", TRUE),
        ("$body.site.town <> $body.site.name", TRUE),
        ("$body.site.on", TRUE),
        ("$body.site.off", FALSE),
        ("NOT $body.site.off", TRUE),
        ("$body.site.on = true", TRUE),
        ("$body.site.on > $body.site.off", TRUE),
        ("$body.site.on AND $body.site.on", TRUE),
        ("$body.site.off OR $body.site.on", TRUE),
        ("$body.site.on AND Town = 'Brest'", TRUE),
        # null and absent
        ("$body.site.nothing = null", TRUE),
        ("$body.site.absent = null", TRUE),
        ("$body.site.temp.deeper = null", TRUE),
        ("$body.site.series[9] = null", TRUE),
        ("$body.site.temp != null", TRUE),
        ("$body.site.absent <> 'x'", TRUE),
        ("$body.site.absent = $body.site.nothing", TRUE),
        # values of different types by the order of their types: a known trap, kept
        ("$body.site.absent > 1000", TRUE),
        ("$body.site.name > 1000", TRUE),
        ("$body.site.on < 0", TRUE),
        # objects, arrays and dates
        ("$body.site = null", UNDEFINED),
        ("$body.site.series <> null", UNDEFINED),
        ("$body.site.when = '2026-11-20T18:00:00.000Z'", UNDEFINED),
        ("$body.site.day = '2026-11-20'", TRUE),
        ("is_defined($body.site.when)", FALSE),
        ("is_defined($body.site.absent)", TRUE),
        # a body value that is not a bool makes a logical undefined, even beside a deciding bool
        ("$body.site.temp AND false", UNDEFINED),
        ("$body.site.absent OR true", UNDEFINED),
        ("NOT $body.site.temp", UNDEFINED),
        ("$body.site.off AND 'text'", UNDEFINED),
        ("$body.site.temp", UNDEFINED),
        ("$body.site.temp + 'x' || 'y' = 'z'", "refused"),
        # functions
        ("abs($body.site.cold) = 50.4", TRUE),
        ("is_defined(abs($body.site.name))", FALSE),
        ("as_number($body.site.temp) = 50", TRUE),
        ("is_defined(as_number($body.site.on))", FALSE),
        ("concat($body.site.name, ', ', $body.site.town) = 'Hall 3, Brest'", TRUE),
        ("$body.site.name || '!' = 'Hall 3!'", TRUE),
        ("is_defined($body.site.temp || '!')", FALSE),
        ("length($body.site.town) = 5", TRUE),
        ("power($body.site.temp, 2) = 2500", TRUE),
        ("substring($body.site.name, 5) = '3'", TRUE),
        ("substring($body.site.name, 0, length('Hall')) = 'Hall'", TRUE),
        ("contains($body.site.name, 'all')", TRUE),
        ("contains($body.site.temp, 'all')", UNDEFINED),
        ("is_string($body.site.name)", TRUE),
        ("is_string($body.site.temp)", FALSE),
        ("is_number($body.site.temp)", TRUE),
        ("is_number($body.site.absent)", FALSE),
        ("is_bool($body.site.on)", TRUE),
        ("is_bool($body.site.temp)", FALSE),
        ("is_bool($body.site.when)", UNDEFINED),
        ("is_null($body.site.nothing)", TRUE),
        ("is_null($body.site.temp)", TRUE),  # the real hub's own answer; the linter says so
        ("is_null($body.site.absent)", FALSE),
        ("($body.site.when ?? 'x') = 'x'", TRUE),
        # shadows
        ("$body.site.shadowed = '100'", TRUE),
        ("as_number($body.site.shadowed) = 100", TRUE),
        ("{$body.site.shadowed} = 50", TRUE),
        ("{$body.site.temp} = 50", TRUE),
    ],
)
def test_a_body_query_is_true_false_or_undefined(condition: str, expected: Any) -> None:
    if expected == "refused":
        with pytest.raises(RouteRefusedError):
            result(condition)
    else:
        assert result(condition) is expected


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("$body.a[] = 1", "not a body path"),
        ("$body.a[1:2] = 1", "expected"),
        ("$body.a..b = 1", "not a body path"),
        ("$body.5 = 1", "not a body path"),
        ("$body.a['b'] = 1", "not a body path"),
        ("$body.a[*] = 1", "not a body path"),
        ("$body.* = 1", "not a body path"),
        ("$body.x % 2 = 1", "no % for body values"),
        ("- $body.x = 1", "cannot negate"),
        ("true AND $body.x", "left side only"),
        ("Town = 'Brest' OR $body.x", "left side only"),
        ("$body.x AND null", "with null"),
        ("$body.x = undefined", "takes"),
    ],
)
def test_a_body_query_that_the_real_hub_refuses_is_refused(condition: str, reason: str) -> None:
    with pytest.raises(RouteRefusedError, match=reason):
        result(condition)


@pytest.mark.parametrize(
    ("content_type", "encoding", "codec"),
    [
        ("application/json", "utf-8", "utf-8"),
        ("APPLICATION/JSON", "UTF-8", "utf-8"),
        ("application/json", "utf-16", "utf-16-le"),
        ("application/json", "utf-32", "utf-32-le"),
    ],
)
def test_a_body_is_read_in_three_encodings(content_type: str, encoding: str, codec: str) -> None:
    body = json.dumps({"né": "été"}, ensure_ascii=False).encode(codec)
    assert result("$body.né = 'été'", message(body, content_type, encoding)) is True


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (None, "utf-8"),
        ("application/json", None),
        ("text/plain", "utf-8"),
        ("application/json; charset=utf-8", "utf-8"),
        ("application/json", "utf8"),
        ("application/json", "iso-8859-1"),
        ("application/json", ""),
    ],
)
def test_another_content_type_or_encoding_makes_every_path_undefined(
    content_type: str | None, encoding: str | None
) -> None:
    of = message(None, content_type, encoding)
    assert result("$body.site.temp = 50", of) is None
    assert result("$body.site.absent = null", of) is None


@pytest.mark.parametrize("body", [b"", b"[1]", b"5", b"null", b"{", b"\xff\xfe", b'{"a":' * 5_000, b"{'a':1}"])
def test_a_body_that_is_not_a_json_object_makes_every_path_undefined(body: bytes) -> None:
    assert result("is_defined($body.a)", message(body)) is False


def test_the_body_is_parsed_once_and_only_when_asked_for() -> None:
    of = message()
    compile_route("FROM /messages WHERE Town = 'Brest' INTO $upstream").matches(of)
    assert "document" not in vars(of)
    compile_route("FROM /messages WHERE $body.site.temp = 50 INTO $upstream").matches(of)
    assert vars(of)["document"] is of.document


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.text(max_size=20))
def test_any_json_and_any_path_give_a_value_or_nothing(document: Any, path: str) -> None:
    steps = parse_body_path(path)
    opened = open_body(json.dumps(document).encode(), "application/json", "utf-8")
    assert opened is None or isinstance(opened, dict)
    if steps is not None:
        found = find(opened, steps)
        assert found == found


@given(st.binary(max_size=100), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_any_bytes_open_or_do_not_and_never_raise(body: bytes, encoding: str) -> None:
    open_body(body, "application/json", encoding)
