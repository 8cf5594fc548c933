"""The page of what was run where: states are of three kinds, each run has a date and the test that makes it."""

from __future__ import annotations

import re

import pytest

from support.checkout import ROOT

ROWS_MIN = 8
STATE = re.compile(r"(real hardware|real server on this machine|emulated|registered)\b")


def _rows() -> list[list[str]]:
    text = (ROOT / "docs/hardware.md").read_text(encoding="utf-8")
    table = text.partition("## What was run where")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


ROWS = _rows()
RUN = [row for row in ROWS if row[1] != "never run"]


def test_enough_was_run_and_all_else_says_never_run() -> None:
    assert len(RUN) >= ROWS_MIN
    assert len(RUN) < len(ROWS)


@pytest.mark.parametrize("row", RUN, ids=[row[0][:40] for row in RUN])
def test_what_was_run_has_a_state_a_date_and_the_test_that_makes_it(row: list[str]) -> None:
    _, state, where, checked = row
    assert STATE.match(state), state
    assert re.search(r"\d{4}-\d{2}-\d{2}", state), state
    assert where
    named = [ROOT / name for name in re.findall(r"`(tests/[^`]+)`", checked)]
    assert named or "by hand" in state, "name the test, or say that it was done by hand"
    assert [str(path) for path in named if not path.exists()] == []
