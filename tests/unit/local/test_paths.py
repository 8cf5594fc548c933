from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

import pytest

from vigie_devkit.local.errors import NoRunError, RunNameError, StateFolderError
from vigie_devkit.local.paths import RunPaths, claim_run, find_hub, find_run, is_running, try_lock


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VIGIE_FRAMES", str(tmp_path / "shm"))
    return tmp_path / "home"


def asked(run: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(run=run)


def test_a_second_run_takes_the_next_free_name(home: Path) -> None:
    first, first_lock = claim_run(None)
    second, second_lock = claim_run(None)
    assert (first.name, second.name) == ("local", "local-2")
    assert first.frames != second.frames
    os.close(first_lock)
    again, again_lock = claim_run(None)
    assert again.name == "local"
    os.close(second_lock)
    os.close(again_lock)


def test_a_run_asked_for_by_name_that_is_taken_is_refused(home: Path) -> None:
    _, lock = claim_run("night")
    with pytest.raises(NoRunError, match="run 'night' is in use; stop it"):
        claim_run("night")
    os.close(lock)


def test_the_run_that_is_up_is_found_before_the_latest(home: Path) -> None:
    early, lock = claim_run("early")
    late, late_lock = claim_run("late")
    os.close(late_lock)
    assert find_run(asked()).name == "early"
    assert is_running(early)
    assert not is_running(late)
    os.close(lock)
    os.utime(late.lock, (1, 1))
    os.utime(early.lock, (2, 2))
    assert find_run(asked()).name == "early"
    assert find_hub(asked("late")) == home / "runs/late/hub"


def test_the_latest_run_is_the_one_that_was_started_last_not_the_one_made_last(home: Path) -> None:
    for name in ("old", "new"):
        run, lock = claim_run(name)
        os.close(lock)
        os.utime(run.lock, (1, 1) if name == "old" else (2, 2))
    _, lock = claim_run("old")
    os.close(lock)
    assert find_run(asked()).name == "old"


def test_which_of_several_runs_is_meant_must_be_said(home: Path) -> None:
    _, one = claim_run(None)
    _, two = claim_run(None)
    with pytest.raises(NoRunError, match=r"several runs are up .*say which: --run NAME"):
        find_run(asked())
    os.close(one)
    os.close(two)


def test_no_run_at_all_says_how_to_start_one(home: Path) -> None:
    with pytest.raises(NoRunError, match=r"start with: \./vigie up"):
        find_run(asked())
    with pytest.raises(NoRunError, match="there is no run 'x'"):
        find_run(asked("x"))
    assert not home.exists(), "looking created something"


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a b", "x" * 41, "a/b"])
def test_names_that_would_leave_the_folder_are_refused(home: Path, name: str) -> None:
    with pytest.raises(RunNameError):
        RunPaths(home, name)


def test_secrets_and_frames_are_private(home: Path) -> None:
    run = RunPaths(home, "local")
    run.make()
    for folder in (run.secrets, run.frames):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StateFolderError, match=r"cannot write .* \(Not a directory\).*VIGIE_HOME") as caught:
        claim_run(None)
    assert caught.value.exit_code == 3


def test_a_lock_dies_with_its_holder(home: Path) -> None:
    run = RunPaths(home, "local")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if try_lock(run) is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert not is_running(run)
