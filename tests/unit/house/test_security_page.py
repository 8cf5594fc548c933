"""docs/security.md: each measure has a test, and each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = CHECKOUT / "docs" / "security.md"


def rows() -> dict[str, list[str]]:
    """Each threat with the tests in its last column."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| threat | measure | test |")[2].partition("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {threat: re.findall(r"`(test_\w+)`", tests) for threat, _, tests in lines}


def test_every_threat_has_a_test_and_every_test_exists() -> None:
    found = rows()
    assert len(found) >= 30
    assert [threat for threat, tests in found.items() if not tests] == []
    written = {
        name
        for file in (CHECKOUT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert sorted({test for tests in found.values() for test in tests} - written) == []
