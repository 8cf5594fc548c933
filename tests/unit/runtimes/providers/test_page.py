"""docs/hardware.md says what the table says."""

from __future__ import annotations

import pytest

from vigie.runtimes.providers import TABLE
from vigie_devkit.hardware_page import PAGE, with_tables


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run: .venv/bin/python -m vigie_devkit.hardware_page"


@pytest.mark.parametrize("name", TABLE)
def test_every_provider_and_each_of_its_options_is_in_it(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"### `{name}`" in page
    assert [option for option in TABLE[name].options if f"| `{option}` |" not in page] == []


def test_a_page_without_its_marks_is_not_overwritten() -> None:
    with pytest.raises(ValueError, match="lacks"):
        with_tables("# nothing")
