"""What docs/writing.md retires is in no text that a user reads."""

from __future__ import annotations

import pytest

from support.docs_commands import ROOT
from support.retired_words import (
    RETIRED,
    continues_the_option,
    read_helps,
    read_pages,
    read_sources,
    retired_in,
)


def test_no_page_uses_a_retired_phrase() -> None:
    found = [f"{place}: {what}" for place, text in read_pages() for what in retired_in(text)]
    assert found == [], "see docs/writing.md"


def test_no_help_error_or_reason_uses_a_retired_phrase() -> None:
    found = [f"{place}: {what}" for place, text in read_sources() for what in retired_in(text)]
    assert found == [], "see docs/writing.md"


def test_every_help_text_stands_on_its_own() -> None:
    helps = list(read_helps())
    assert len(helps) > 200, "the rule guards nothing"
    assert [f"{place}: {text}" for place, text in helps if continues_the_option(text)] == [], "see docs/writing.md"


@pytest.mark.parametrize(
    ("text", "continues"),
    [
        ("that compute (default: PyTorch's choice)", True),
        ("of the bundle (default: the file's)", True),
        ("name of the bundle (default: the file's)", False),
        ("format of the file", False),
        ("input that is fed first", False),
    ],
)
def test_a_help_text_that_continues_its_option_is_found(text: str, continues: bool) -> None:
    assert continues_the_option(text) is continues


@pytest.mark.parametrize(("phrase", "_", "use"), RETIRED, ids=[name for name, *_ in RETIRED])
def test_every_retired_phrase_is_found_and_stands_in_the_word_list_and_what_replaces_it_is_not_retired(
    phrase: str, _: str, use: str
) -> None:
    assert retired_in(phrase)
    assert not retired_in(use)
    assert f"| {phrase} | {use} |" in (ROOT / "docs/writing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "there is no file x",
        "it is no longer used",
        "where there is none",
        "30 frames per second",
        "silently",
        "a second camera",
        "amended",
        "one module is upgraded",
    ],
)
def test_native_english_is_left_alone(text: str) -> None:
    assert retired_in(text) == []
