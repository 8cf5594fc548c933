"""docs/cli.md names every command, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from vigie_devkit.cli import COMMANDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


def test_the_page_of_the_command_line_names_every_command_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| command | what it does |")[2].partition("\n\n")[0]
    first = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    named = [text.split()[0] for cell in first for text in re.findall(r"`([^`]+)`", cell)]
    assert sorted(named) == sorted(COMMANDS)
