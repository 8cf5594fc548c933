from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.manifest_draft import Draft
from vigie_devkit import cli
from vigie_devkit.local.errors import Exit, SourceError


def vigie(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-m", "vigie_devkit", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_version_is_that_of_the_distribution() -> None:
    assert vigie("--version").stdout == vigie("version").stdout == "vigie 0.1.0\n"


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = vigie(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"./vigie {command}" in done.stdout


def test_the_general_help_names_every_command_and_exit_code() -> None:
    done = vigie("--help")
    for command in cli.COMMANDS:
        assert f"\n    {command} " in done.stdout
    for code in Exit:
        assert f"\n  {code.value}  " in done.stdout


def test_a_command_that_does_not_exist_and_no_command_at_all_are_usage_errors() -> None:
    assert vigie("frobnicate").returncode == Exit.USAGE
    assert vigie().returncode == Exit.USAGE
    done = vigie("down", "--frobnicate")
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert "--frobnicate" in done.stderr


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import sys; from vigie_devkit.cli import parser_for; parser_for([]); parser_for(['up']);"
        "print(sorted(set(sys.modules) & {'numpy', 'cv2', 'onnx', 'onnxruntime', 'aiohttp', 'asyncio', 'azure'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_foreseen_failure_is_one_sentence_and_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_args: argparse.Namespace) -> int:
        raise SourceError("there is no file a.mp4")

    assert cli.run_handler(argparse.Namespace(handler=fails)) == Exit.SOURCE
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "vigie: there is no file a.mp4\n")


def test_an_error_of_the_library_is_one_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    from vigie.errors import ConfigRefusedError

    def fails(_args: argparse.Namespace) -> int:
        raise ConfigRefusedError("$.a", "expected 1")

    assert cli.run_handler(argparse.Namespace(handler=fails)) == Exit.ENVIRONMENT
    assert capsys.readouterr().err == "vigie: $.a: expected 1\n"


def test_a_model_that_is_not_there_is_one_sentence() -> None:
    done = vigie("up", "--model", "/nowhere/model.onnx", "--json")
    assert (done.returncode, done.stdout) == (Exit.MODEL, "")
    assert done.stderr.startswith("vigie: there is no model '/nowhere/model.onnx': neither an .onnx file, nor a bundle")
    assert done.stderr.count("\n") == 1


def test_a_containers_log_is_read_from_stdin() -> None:
    at = "2026-11-28T09:00:00.000Z"
    entry = {"event": "twin_accepted", "level": "info", "module": "camera", "timestamp": at, "n": 1}
    line = json.dumps(entry)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "vigie_devkit", "logs", "-"],
        input=f"{line}\nplain text\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["09:00:00.000 info    camera     twin_accepted  n=1", "plain text"]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


TYPED = {
    f"{parser.prog} {action.option_strings[0]}": (parser, action)
    for command in cli.COMMANDS
    for parser in parsers(cli.parser_for([command]))
    for action in parser._actions
    if action.option_strings and action.type not in (None, Path)
}


@pytest.mark.parametrize("name", TYPED)
def test_a_value_of_the_wrong_kind_is_told_what_the_option_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser, action = TYPED[name]
    values = ["!x!"] * (action.nargs if isinstance(action.nargs, int) else 1)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([action.option_strings[-1], *values])
    told = capsys.readouterr().err
    assert ended.value.code == Exit.USAGE
    assert re.search(r"\bexpected \w|; targets are ", told), told
    assert "!x!" in told
    assert not re.search(r"another value|invalid \w+ value|[a-z]_[a-z]", told), told


def test_a_wrong_number_and_an_empty_source_of_up_are_told_what_is_allowed() -> None:
    done = vigie("up", "--seconds", "abc")
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert done.stderr == "vigie: --seconds: expected a number above 0, got 'abc'; see: ./vigie up --help\n"
    done = vigie("up", "--seconds", "0")
    assert done.stderr == "vigie: --seconds: expected more than 0, got 0; see: ./vigie up --help\n"
    for words in (("",), ("  ",), ("synthetic://conveyor", "")):
        done = vigie("up", *words)
        assert (done.returncode, done.stdout) == (Exit.USAGE, "")
        assert done.stderr == (
            "vigie: a SOURCE is empty; name a file, an rtsp:// URL or synthetic://conveyor, or leave it out\n"
        )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--help", Exit.OK),
        ("up --help", Exit.OK),
        ("version --all", Exit.OK),
        ("doctor --json", Exit.OK),
        ("doctor", Exit.OK),
        ("manifest lint {}/manifest.json", Exit.USAGE),
        ("manifest lint {}/mistakes.json", 1),
    ],
)
def test_a_reader_that_takes_only_the_first_lines_changes_nothing(words: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    draft = Draft()
    draft.host("sync")["Memory"] = "512m"
    (tmp_path / "mistakes.json").write_text(json.dumps(draft.content))
    line = f"{sys.executable} -I -m vigie_devkit {words.format(tmp_path)} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{int(code)}\n"
    assert "roken" not in done.stderr
