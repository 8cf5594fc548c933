"""What `GetModuleLogs` picks out of the logs, and the shape it is given."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vigie_devkit.local.agent_logs import LogFilter, LogsRequest, RequestRefusedError, module_logs, moment

NOW = 1_795_860_000.0  # 2026-11-28T10:00:00Z
LINES = [
    "a line before any time",
    '{"event": "started", "level": "info", "timestamp": "2026-11-28T08:00:00.000000Z"}',
    "a line of the same moment",
    '{"event": "went_wrong", "level": "error", "timestamp": "2026-11-28T09:30:00.000000Z"}',
    "<3> 2026-11-28 10:59:00.000 +01:00 [ERR] as edgeAgent wants it",
]


@pytest.fixture
def logs(tmp_path: Path) -> dict[str, Path]:
    camera = tmp_path / "camera.log"
    camera.write_text("\n".join(LINES[2:]) + "\n", encoding="utf-8")
    (tmp_path / "camera.log.1").write_text("\n".join(LINES[:2]) + "\n", encoding="utf-8")
    hub = tmp_path / "hub.log"
    hub.write_text("one line\n", encoding="utf-8")
    return {"camera": camera, "edgeHub": hub}


def asked(logs: dict[str, Path], item: object, **more: str) -> list[dict]:
    request = msgspec.convert({"schemaVersion": "1.0", "items": item, **more}, LogsRequest)
    return module_logs(request, logs, now=NOW, device_id="d", iothub="h")


def lines_of(answer: dict) -> list[str]:
    return answer["payload"].splitlines()


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ({}, LINES),
        ({"tail": 2}, LINES[3:]),
        ({"since": "31m"}, LINES[3:]),
        ({"since": "1 hour 30 minutes"}, LINES[3:]),
        ({"since": "2026-11-28T08:00:00Z"}, LINES[1:]),
        ({"since": "2026-11-28T08:00:00Z", "until": "2026-11-28T09:00:00Z"}, LINES[1:3]),
        ({"since": "2026-11-28T08:00:00Z", "until": 1_795_856_400, "tail": 1}, LINES[2:3]),
        ({"loglevel": 3}, LINES[4:]),
        ({"loglevel": 6, "tail": 2}, LINES[3:4]),
        ({"regex": "WENT_"}, LINES[3:4]),
    ],
    ids=[
        "all",
        "tail",
        "duration",
        "two units",
        "RFC 3339",
        "until",
        "tail after time",
        "level",
        "after tail",
        "regex",
    ],
)
def test_lines_are_chosen_by_time_then_tail_then_level_and_expression(
    logs: dict[str, Path], wanted: dict[str, Any], kept: Any
) -> None:
    (answer,) = asked(logs, {"id": "camera", "filter": wanted})
    assert (answer["id"], lines_of(answer)) == ("camera", kept)


def test_the_first_item_that_names_a_module_counts_and_ids_are_expressions(logs: dict[str, Path]) -> None:
    answers = asked(logs, [{"id": "^CAM", "filter": {"tail": 1}}, {"id": "all"}])
    assert [(one["id"], len(lines_of(one))) for one in answers] == [("camera", 1), ("edgeHub", 1)]
    assert asked(logs, {"id": "nobody"}) == []


def test_json_names_each_lines_device_module_level_and_time(logs: dict[str, Path]) -> None:
    (answer,) = asked(logs, {"id": "camera", "filter": {"tail": 1}}, contentType="json")
    assert json.loads(answer["payload"]) == [
        {
            "iothub": "h",
            "device": "d",
            "id": "camera",
            "stream": "stdout",
            "loglevel": 3,
            "text": "[ERR] as edgeAgent wants it",
            "timestamp": "2026-11-28 10:59:00.000 +01:00",
        }
    ]


def test_gzip_comes_as_bytes_in_base64(logs: dict[str, Path]) -> None:
    (answer,) = asked(logs, {"id": "camera"}, encoding="gzip")
    assert answer["payload"] is None
    assert gzip.decompress(base64.b64decode(answer["payloadBytes"])).decode().splitlines() == LINES


def test_what_a_direct_method_cannot_carry_is_answered_by_a_sentence_in_its_place(logs: dict[str, Path]) -> None:
    logs["camera"].write_text("x" * 127_001 + "\n", encoding="utf-8")
    answers = asked(logs, {"id": "all"})
    assert answers[0]["payload"].startswith("The payload is too large for a direct method.")
    assert lines_of(answers[1]) == ["one line"]


def test_several_logs_together_stay_within_one_answer(logs: dict[str, Path]) -> None:
    for log in logs.values():
        log.write_text("x" * 90_000 + "\n", encoding="utf-8")
    answers = asked(logs, {"id": "all"})
    assert len(answers[0]["payload"]) > 90_000
    assert answers[1]["payload"].startswith("The payload is too large")
    assert len(json.dumps(answers)) < 131_072


@pytest.mark.parametrize("text", ["yesterday", "2026-11-28T08:00:00", "5 fortnights", "1h and a bit", ""])
def test_a_moment_that_cannot_be_read_is_refused_with_the_three_forms(text: str) -> None:
    with pytest.raises(RequestRefusedError, match=r"neither a duration .* nor RFC 3339 .* nor a UNIX time"):
        moment(text, NOW)


def test_an_expression_that_does_not_compile_is_refused(logs: dict[str, Path]) -> None:
    with pytest.raises(RequestRefusedError, match="is not a regular expression"):
        asked(logs, {"id": "("})


@pytest.mark.parametrize("wrong", [{"tail": 0}, {"tail": -3}, {"loglevel": 8}])
def test_a_filter_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, LogFilter)
