"""The subset of the twin query language, and what it says about the rest."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigie_edgehub.service.query import QueryRefusedError, parse_query

TWINS = [
    {"deviceId": "edge", "moduleId": "camera", "connectionState": "Connected", "tags": {"line": 1},
     "properties": {"desired": {"fps": 30}, "reported": {"state": {"value": "streaming", "ok": True}}}},
    {"deviceId": "edge", "moduleId": "sync", "connectionState": "Disconnected", "tags": {"line": 2, "note": None},
     "properties": {"desired": {"fps": 15.5}, "reported": {}}},
    {"deviceId": "edge", "moduleId": "it's", "connectionState": "Connected", "tags": {},
     "properties": {"desired": {}, "reported": {}}},
]  # fmt: skip


def found(where: str) -> list[str]:
    return [t["moduleId"] for t in parse_query(f"SELECT * FROM devices.modules WHERE {where}").run(TWINS)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("moduleId = 'camera'", ["camera"]),
        ('moduleId = "camera"', ["camera"]),
        (r"moduleId = 'it\'s'", ["it's"]),
        ("moduleId != 'camera'", ["sync", "it's"]),
        ("tags.line >= 1", ["camera", "sync"]),
        ("tags.line > 1 OR moduleId = 'it\\'s'", ["sync", "it's"]),
        ("connectionState = 'Connected' AND tags.line = 1", ["camera"]),
        ("NOT connectionState = 'Connected'", ["sync"]),
        ("NOT (tags.line = 1 OR tags.line = 2)", ["it's"]),
        ("properties.desired.fps < 20", ["sync"]),
        ("properties.reported.state.ok = true", ["camera"]),
        ("properties.reported.state.ok = 1", []),
        ("tags.note = null", ["sync"]),
        ("tags.absent = null", []),
        ("tags.absent != 'x'", []),
        ("tags.line != 'x'", ["camera", "sync"]),
        ("tags.line < 'x'", []),
        ("is_defined(tags.note)", ["sync"]),
        ("NOT IS_DEFINED(tags.line)", ["it's"]),
        ("STARTSWITH(moduleId, 'ca')", ["camera"]),
        ("moduleId IN ['sync', 'camera']", ["camera", "sync"]),
        ("moduleId NOT IN ['sync', 'camera']", ["it's"]),
        ("1 = 2", []),
    ],
)
def test_conditions_select_as_the_language_says(where: str, expected: Any) -> None:
    assert found(where) == expected


def test_paths_can_be_chosen_and_named_and_what_is_absent_is_left_out() -> None:
    query = parse_query("select moduleId, tags.line AS line from devices.modules")
    lines = [{"moduleId": "camera", "line": 1}, {"moduleId": "sync", "line": 2}, {"moduleId": "it's"}]
    assert query.run(TWINS) == lines
    assert query.item_type == "raw"


def test_count_counts_what_matches() -> None:
    assert parse_query("SELECT COUNT() AS n FROM devices.modules WHERE tags.line > 0").run(TWINS) == [{"n": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected SELECT, found the end"),
        ("SELECT", "column 7: expected a path, COUNT\\(\\) or \\*, found the end"),
        ("SELECT * FROM devices.jobs", "column 15: expected devices or devices.modules, found 'devices.jobs'"),
        ("SELECT * FROM devices WHERE", "column 28: expected a path or a value, found the end"),
        ("SELECT * FROM devices WHERE a", "column 30: expected a comparison or IN, found the end"),
        ("SELECT * FROM devices WHERE a = 1 b", "column 35: expected AND, OR or the end, found 'b'"),
        ("SELECT * FROM devices WHERE a ~ 1", "column 31: '~' has no meaning here"),
        ("SELECT * FROM devices WHERE a = 'x", 'column 33: "\'" has no meaning here'),
        ("SELECT * FROM devices GROUP BY a", "column 23: expected WHERE or the end, found 'GROUP'"),
        ("SELECT tags.a, COUNT() FROM devices", "COUNT\\(\\) stands alone"),
        ("SELECT * FROM devices WHERE a IN []", "column 35: expected a path or a value, found '\\]'"),
        ("SELECT * FROM devices WHERE " + "(" * 200, "nests deeper"),
        ("SELECT * FROM devices WHERE " + "NOT " * 1000, "nests deeper"),
        ("x" * 9000, "longer than"),
    ],
)
def test_what_is_outside_the_subset_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(QueryRefusedError, match=message):
        parse_query(text)


_PIECES = st.sampled_from(
    ["SELECT", "*", "FROM", "devices", "devices.modules", "WHERE", "AND", "NOT", "(", ")", "a.b", "'x'", "1", "=", "IN",
     "[", "]", ",", "COUNT", "AS", "is_defined", "\\", "'", "é"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=20).map(" ".join)))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(QueryRefusedError):
        parse_query(text).run(TWINS)
