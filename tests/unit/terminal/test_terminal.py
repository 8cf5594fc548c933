"""Lines that fit a terminal: where they go on, and what is never taken apart."""

from __future__ import annotations

import io

import pytest

from vigie.terminal import fitted, show_text


@pytest.mark.parametrize(
    ("line", "width", "parts"),
    [
        ("short", 10, ["short"]),
        ("", 10, [""]),
        ("one two three four", 10, ["one two", "    three", "    four"]),
        ("  ab  one two three", 14, ["  ab  one two", "      three"]),
        ("  ab  one  two three", 14, ["  ab  one  two", "      three"]),
        ("key-that-is-long  one two three", 20, ["key-that-is-long", "    one two three"]),
        ("  a  /a/path/that/nobody/may/break now", 20, ["  a  /a/path/that/nobody/may/break", "     now"]),
        ("  next  ./vigie up --model /a/long/path", 20, ["  next  ./vigie up --model /a/long/path"]),
    ],
    ids=["fits", "empty", "no column", "column", "two columns", "column too far right", "long word", "command"],
)
def test_a_line_goes_on_below_its_column(line: str, width: int, parts: list[str]) -> None:
    assert fitted(line, width) == parts
    assert " ".join(" ".join(parts).split()) == " ".join(line.split())


def test_what_is_not_a_terminal_gets_every_line_as_it_is() -> None:
    file = io.StringIO()
    show_text("a" * 300 + " b\nc", file)
    assert file.getvalue() == "a" * 300 + " b\nc\n"
