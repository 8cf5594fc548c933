"""The commands that operate a hub, as far as they need none: arguments, files, acknowledgements, lint."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.cli import main
from vigie_devkit.commands.twin import acknowledgements, read_json_object
from vigie_devkit.local.errors import UsageError
from vigie_edgehub.lint import lint_manifest
from vigie_edgehub.message import Message
from vigie_edgehub.upstream import open_sink, record_file


def content(routes: dict[str, Any], *, modules: tuple[str, str] = ("A", "B"), version: str = "1.1") -> dict[str, Any]:
    return {
        "modulesContent": {
            "$edgeAgent": {"properties.desired": {"modules": {name: {} for name in modules}}},
            "$edgeHub": {
                "properties.desired": {
                    "schemaVersion": version,
                    "routes": routes,
                    "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
                }
            },
        }
    }


def recorded(state: Path, count: int) -> None:
    with open_sink(record_file(state).parent, {}) as sink:
        sink.append(
            [
                Message(
                    key=str(n), source_module="A" if n % 2 else "B", output="out", kind="Telemetry",
                    body=b'{"n":%d}' % n, application={}, stored_at=1_700_000_000.0,
                    system={"contentType": "application/json", "contentEncoding": "utf-8"},
                )
                for n in range(count)
            ]
        )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    ["twin", "twin get", "twin set", "method", "upstream", "upstream tail", "upstream export", "hub", "hub run",
     "hub env", "hub status", "hub apply", "hub misbehave", "hub lint"],
)  # fmt: skip
def test_every_help_text_has_an_example(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words.split(), "--help"])
    assert ended.value.code == 0
    assert f"./vigie {words}" in capsys.readouterr().out


def test_json_is_taken_from_the_argument_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patch.json").write_text('{"a": 1}')
    assert read_json_object('{"a": 1}') == read_json_object(str(tmp_path / "patch.json")) == {"a": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 1}'))
    assert read_json_object("-") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the argument is not JSON"),
        ('{\n "a": 1,,\n}', "the argument is not JSON: line 2, column 9: "),
        ("[1]", "must hold a JSON object, not list"),
        ('{"a": NaN}', "is not JSON"),
        ("no-such-file.json", "neither a JSON object nor a file"),
        ("/", "neither a JSON object nor a file"),
    ],
)
def test_what_is_no_json_object_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_json_object(text)


def test_acknowledgements_are_found_below_the_patched_keys_only() -> None:
    reported = {
        "score": {"value": 0.5, "ac": 200, "av": 4},
        "cameras": {"dock": {"value": {}, "ac": 400, "av": 4, "ad": "$.cameras.dock.fps: expected 1..120, got 0"}},
        "other": {"value": 1, "ac": 200, "av": 2},
        "state": "running",
    }
    patch = {"score": 0.5, "cameras": {"dock": {"fps": 0}}, "state": 1, "absent": 2}
    assert {path: ack["ac"] for path, ack in acknowledgements(reported, patch)} == {
        "$.score": 200,
        "$.cameras.dock": 400,
    }


def test_lint_reports_every_bad_route_and_what_the_hub_would_accept_in_silence() -> None:
    findings = lint_manifest(
        content(
            {
                "one": "FROM /messages/modules/A/outputs/x WHERE temp == 3 INTO $upstream",
                "two": "FORM /messages INTO $upstream",
                "three": "FROM /messages/modules/C INTO $upstream",
            }
        )
    )
    assert [finding.code for finding in findings] == ["config-refused", "config-refused", "unknown-source-module"]
    assert "$.routes.one: column 48" in str(findings[0])
    assert "$.routes.two: column 1" in str(findings[1])


def test_lint_reports_a_wrong_schema_once_not_for_every_route() -> None:
    findings = lint_manifest(content({"a": "FROM /* INTO $upstream", "b": "FROM /* INTO $upstream"}, version="2.0"))
    assert [finding.message for finding in findings] == ["$.schemaVersion: expected 1.0 to 1.3, got 2.0"]


def test_lint_ends_with_1_when_something_is_wrong_and_0_when_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(content({"all": "FROM /messages/* INTO $upstream"})))
    bad.write_text("{}")
    assert main(["hub", "lint", str(good)]) == 0
    assert "no findings" in capsys.readouterr().out
    assert main(["hub", "lint", str(bad)]) == 1
    assert "error: $edgeHub: expected an object with 'modulesContent'" in capsys.readouterr().out


def test_a_command_without_a_hub_says_so_with_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["twin", "get", "camera", "--state", str(tmp_path)]) == 3
    assert f"no local hub runs on {tmp_path}" in capsys.readouterr().err
    assert main(["upstream", "tail", "--state", str(tmp_path)]) == 3
    assert "there is no such file" in capsys.readouterr().err


def test_upstream_tail_shows_the_last_messages_of_a_stopped_hub(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path, 20)
    assert main(["upstream", "tail", "--last", "2", "--module", "A", "--state", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines] == ['{"n":17}', '{"n":19}']
    assert all("A/out" in line for line in lines)


def test_upstream_export_writes_json_lines_to_stdout_or_a_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path, 5)
    assert main(["upstream", "export", "--state", str(tmp_path), "--after", "2"]) == 0
    assert [json.loads(line)["body"]["n"] for line in capfd.readouterr().out.splitlines()] == [2, 3, 4]
    target = tmp_path / "out.jsonl"
    assert main(["upstream", "export", "--state", str(tmp_path), "--output", str(target), "--module", "B"]) == 0
    assert [json.loads(line)["body"]["n"] for line in target.read_text().splitlines()] == [0, 2, 4]
    assert [path.name for path in tmp_path.glob(".out*")] == []


def test_upstream_export_filters_by_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path, 3)
    assert main(["upstream", "export", "--state", str(tmp_path), "--until", "2023-11-14T22:13:20Z"]) == 0
    assert capfd.readouterr().out == ""
    assert main(["upstream", "export", "--state", str(tmp_path), "--since", "1700000000"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 3
    assert main(["upstream", "export", "--state", str(tmp_path), "--since", "yesterday"]) == 2
    assert "--since takes a time such as" in capfd.readouterr().err


def test_upstream_export_into_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path, 1)
    assert main(["upstream", "export", "--state", str(tmp_path), "--output", str(tmp_path / "no/where.jsonl")]) == 3
    assert "cannot write" in capsys.readouterr().err


def test_a_record_that_nobody_may_write_can_still_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path, 1)
    record_file(tmp_path).chmod(stat.S_IRUSR)
    assert main(["upstream", "tail", "--state", str(tmp_path)]) == 0
    assert '{"n":0}' in capsys.readouterr().out
