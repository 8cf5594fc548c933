"""Commands that pages name within a sentence or a table, and those that help shows: the command line takes each."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.docs_commands import ROOT, all_commands, pages
from vigie.contracts.names import MODULES
from vigie_devkit import cli
from vigie_devkit.local.errors import Exit

_LACKS_OPERANDS = ("are required", "expected one argument", "expected at least one argument")
_INLINE = re.compile(r"(?<!`)(`+)((?:\./)?vigie [a-z][^`\n]*)\1(?!`)")


def commands_in_text(text: str) -> Iterator[list[str]]:
    """Words behind ``vigie``, one list for each alternative of ``tail|export``; without a pipe's or a list's end."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    for match in _INLINE.finditer(prose):
        yield from alternatives(match[2].replace("\\|", "|"))


def alternatives(command: str) -> Iterator[list[str]]:
    words = shlex.split(command, comments=True)[1:]
    for end in ("|", ">", "&&", ";"):
        if end in words:
            words = words[: words.index(end)]
    several = next((one for one in words if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", one)), "")
    for one in several.split("|"):
        yield [one if word == several else word for word in words]


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says against ``words``; a command that only lacks its operands is a name, and right."""
    if words[:1] == ["test"] or not words:
        return ""  # its words are pytest's
    try:
        args, rest = cli.parser_for(words).parse_known_args(words)
    except SystemExit as ended:
        said = capsys.readouterr().err
        return "" if ended.code == Exit.OK or any(lack in said for lack in _LACKS_OPERANDS) else said
    return cli.wrong_words(args, rest) or ""


@pytest.mark.parametrize(
    "page", [one for one in pages() if one.is_file()], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_in_the_sentences_of_a_page_are_taken(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {" ".join(words): refusal(words, capsys) for words in commands_in_text(page.read_text(encoding="utf-8"))}
    assert {command: why for command, why in found.items() if why} == {}


def examples(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for line in (parser.epilog or "").splitlines():
        if match := re.match(r"\s+(\./vigie .*?)(?:\s{2,}.*)?$", line):
            yield name, match[1]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                yield from examples(f"{name} {verb}", inner)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_examples_of_help_are_taken_whole(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for _, line in examples(command, cli.parser_for([command])):
        for words in alternatives(line):
            if any("..." in word for word in words):
                continue  # a value that is cut short
            assert refusal(words, capsys) == "", line


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("up --frame 3", "--frames"),
        ("upstream tale", "tail"),
        ("modles list", "models"),
        ("manifest lint --disc 8g", ""),
    ],
)
def test_a_command_that_does_not_exist_would_be_found(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(words.split(), capsys)
    assert said
    assert why in said


def test_commands_are_read_from_code_within_a_line_only() -> None:
    page = (
        "`./vigie up`, `vigie twin get camera`\n```sh\n./vigie no\n```\n| `upstream tail` | `./vigie hub run\\|lint` |"
    )
    assert [" ".join(one) for one in commands_in_text(page)] == ["up", "twin get camera", "hub run", "hub lint"]


def methods_of(module: str) -> set[str]:
    """Direct methods of a module, as its generated model lists them (a test keeps that equal to the code)."""
    model = json.loads((ROOT / f"docs/dtdl/{module}.json").read_text(encoding="utf-8"))
    interfaces = model if isinstance(model, list) else [model]
    return {one["name"] for face in interfaces for one in face.get("contents", []) if one.get("@type") == "Command"}


def test_a_direct_method_that_a_page_or_help_calls_exists() -> None:
    called = [tuple(shlex.split(one.text)[2:4]) for one in all_commands() if one.text.startswith("./vigie method ")]
    called += [tuple(words[1:3]) for page in pages() if page.is_file()
               for words in commands_in_text(page.read_text(encoding="utf-8")) if words[0] == "method"]  # fmt: skip
    for command in cli.COMMANDS:
        called += [tuple(line.split()[2:4]) for _, line in examples(command, cli.parser_for([command]))
                   if line.startswith("./vigie method ")]  # fmt: skip
    ours = {(module, name) for module, name in (one for one in called if len(one) == 2) if module in MODULES}
    assert {("camera", "snapshot"), ("sync", "get_backlog"), ("inference", "get_status")} <= ours
    assert {(module, name) for module, name in ours if name not in methods_of(module)} == set()
