"""Help in a terminal of 80 columns: every line fits, and what a reader copies from it is one command."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterator

import pytest

from vigie_devkit import cli
from vigie_devkit.help_text import laid_out


def parsers(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                yield from parsers(f"{name} {verb}".strip(), inner)


EVERY = dict(one for command in cli.COMMANDS for one in parsers("", cli.parser_for([command])))


@pytest.mark.parametrize("name", EVERY)
def test_help_fits_a_terminal_of_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in EVERY[name].format_help().splitlines() if len(line) > 80] == []


def test_a_block_that_fits_stays_as_it_is_written() -> None:
    text = "examples:\n  ./vigie up      the belt\n  ./vigie down    ends it\n\nexit codes:\n  0  done\n"
    assert "\n".join(laid_out(text, 40)) == text.strip()


def test_where_one_line_does_not_fit_every_command_has_its_explanation_below_it() -> None:
    text = "examples:\n  ./vigie up      the belt\n  ./vigie down    ends what runs in any other terminal"
    assert laid_out(text, 40) == [
        "examples:",
        "  ./vigie up",
        "      the belt",
        "  ./vigie down",
        "      ends what runs in any other",
        "      terminal",
    ]  # fmt: skip


def test_a_meaning_goes_on_below_itself_and_sentences_are_filled() -> None:
    assert laid_out("exit codes:\n  0  done, and everything was sent\nfaults need root;\nothers do not.", 20) == [
        "exit codes:",
        "  0  done, and",
        "     everything was",
        "     sent",
        "faults need root;",
        "others do not.",
    ]


def test_a_long_command_can_be_copied_as_it_is_shown() -> None:
    command = """./vigie up 'rtsp://u:${D}@10.0.0.7/a stream' --secret D=dock.password --json '{"score": 0.5}'"""
    lines = laid_out(f"examples:\n  {command}", 44)
    assert lines[1].endswith(" \\")
    assert any(line.strip().startswith("--secret D=dock.password") for line in lines)
    words = "\n".join(lines[1:]).replace("./vigie", "printf '%s|'", 1)
    shown = subprocess.run(["bash", "-c", f"D=x; {words}"], capture_output=True, text=True, check=True).stdout
    assert shown == """up|rtsp://u:${D}@10.0.0.7/a stream|--secret|D=dock.password|--json|{"score": 0.5}|"""
