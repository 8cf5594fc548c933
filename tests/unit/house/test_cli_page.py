"""docs/cli.md names every command, option of `up` and exit code, and none that is not there."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from vigie_devkit.cli import COMMANDS, parser_for
from vigie_devkit.local.errors import Exit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def options_named(text: str) -> set[str]:
    return set(re.findall(r"`[^`]*?(?<![\w-])(--[a-z][a-z-]+)", text))


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options_of(inner)


def test_the_page_of_the_command_line_names_every_command_and_no_other() -> None:
    table = TEXT.partition("| command | what it does |")[2].partition("\n\n")[0]
    first = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    named = [text.split()[0] for cell in first for text in re.findall(r"`([^`]+)`", cell)]
    assert sorted(named) == sorted(COMMANDS)


def test_every_option_of_up_is_explained_and_no_other() -> None:
    explained = options_named(section("`up`"))
    assert explained == set(options_of(parser_for(["up"]))) - {"--help", "--version"}


def test_an_option_that_the_page_names_exists() -> None:
    assert options_named(TEXT) <= set(options_of(parser_for([])))


def test_the_page_has_every_exit_code_and_no_other() -> None:
    codes = re.findall(r"^\| (\d+) \|", section("Exit codes"), re.MULTILINE)
    assert [int(code) for code in codes] == sorted(code.value for code in Exit)
