"""The terminal of the walk: it sees all that is shown, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.walk_terminal import Terminal, members

STUBBORN = "(trap '' INT TERM; while :; do sleep 0.2; echo stale; done) &"


def test_nothing_of_a_session_runs_on_and_the_next_one_sees_all_its_own(tmp_path: Path) -> None:
    with Terminal(tmp_path, {}, within_s=60, grace_s=0.5) as first:
        assert first.run(STUBBORN, 80)[0] == 0
        session = first.session
        assert len(members(session)) >= 2
    assert members(session) == []
    # What still read the first one's number would take what this one shows: it has the same.
    with Terminal(tmp_path, {}, within_s=60) as second:
        for number in range(20):
            assert second.run(f"echo shown {number}", 80) == (0, f"shown {number}\r\n")


def test_each_command_has_the_width_that_the_terminal_has_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "132")  # once there, bash keeps it as it was when its last command ended
    with Terminal(tmp_path, {}, within_s=60) as shell:
        for columns in (80, 200, 80):
            seen = shell.run("stty size <&1; printenv COLUMNS || echo none", columns)[1].split()
            assert seen == ["40", str(columns), "none"]


def test_ctrl_c_is_enough_for_what_ends_by_it(tmp_path: Path) -> None:
    typed = "trap 'echo ended > ended; exit' INT; echo ready; while :; do sleep 0.1; done"
    with Terminal(tmp_path, {}, typed=typed, within_s=60) as other:
        other.wait_for("ready")
    assert (tmp_path / "ended").exists()
