"""Pages that say where to read name files that are there, and every decision is in the index."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
RECORDS = ROOT / "docs/decisions"


def test_every_file_of_the_architecture_page_exists() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:modules|shared|devkit)/[^`]+\.py)`", page)
    assert len(named) > 35
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_decision_is_in_the_index_under_its_title_and_every_gap_is_named() -> None:
    index = (RECORDS / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[(\d{4})\]\([^)]+\) \| (.+) \|$", index, flags=re.MULTILINE))
    titles = {}
    for file in RECORDS.glob("0*.md"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        titles[file.name[:4]] = re.sub(r"^#\s*\d+[:.]\s*", "", first)
        assert f"({file.name})" in index, file.name
    assert listed == titles
    numbers = range(1, int(max(titles)))
    unused = [f"{number:04d}" for number in numbers if f"{number:04d}" not in titles]
    assert re.findall(r"\d{4}", index.rpartition("never used:")[2]) == unused
