"""`vigie clean` deletes what Vigie made, and nothing that only has the same name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vigie_devkit.cli import main
from vigie_devkit.local.bundle import import_once
from vigie_devkit.local.errors import StrangeFolderError
from vigie_devkit.local.hub_option import claim_lone_hub_state
from vigie_devkit.local.ownership import MARKER, claim_part
from vigie_devkit.local.paths import RunPaths, claim_run
from vigie_devkit.models.shelf import shelf_folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VIGIE_FRAMES", str(tmp_path / "shm"))
    monkeypatch.setenv("VIGIE_VENV", str(tmp_path / "venv"))
    return tmp_path / "home"


def project(folder: Path) -> dict[str, str]:
    """Somebody's own work, in folders that have the names of ours. Returns: its files."""
    for name in (
        "models/net.onnx",
        "runs/monday/result.csv",
        "frames/0001.png",
        "wheels/a.whl",
        "hub/notes.md",
        "x.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return content(folder)


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_project_with_folders_of_the_same_names_is_refused_and_survives_clean(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = project(home)
    for write in (
        lambda: claim_run(None),
        lambda: RunPaths(home, "local").make(),
        lambda: import_once(home / "models/net.onnx"),
        claim_lone_hub_state,
        shelf_folder,
    ):
        with pytest.raises(StrangeFolderError, match=r"did not make \(.*\); set VIGIE_HOME to a folder that is empty"):
            write()
    assert main(["clean", "--yes", "--keep-environment"]) == 0
    assert content(home) == before
    assert f"vigie: {home / 'models'} stays: Vigie did not make it" in capsys.readouterr().out


def test_work_that_came_into_a_home_later_stays(home: Path) -> None:
    _, lock = claim_run(None)
    os.close(lock)
    before = {name: text for name, text in project(home).items() if not name.startswith("runs/")}
    with pytest.raises(StrangeFolderError, match=r"models holds things that Vigie did not make \(net\.onnx\)"):
        import_once(home / "models/net.onnx")
    assert main(["clean", "--yes", "--keep-environment"]) == 0
    assert content(home) == before


def test_everything_that_vigie_made_goes_and_the_home_too(home: Path) -> None:
    run, lock = claim_run(None)
    run.make()
    os.close(lock)
    for part in ("hub", "models", "downloads", "wheels"):
        (claim_part(home, part) / "something").write_text("")
    assert main(["clean", "--yes", "--keep-environment"]) == 0
    assert not home.exists()
    assert not run.frames.exists()


def test_a_home_of_the_version_before_is_used_and_cleaned(home: Path) -> None:
    """It has no markers; what lies in it shows who made it."""
    for name in (
        "runs/local/lock", "runs/local/run.json", "runs/local/hub/keys.json", "runs/night/lock",
        "models/0fed88c026ba3aae/net/card.yaml", "runtimes/runtime-measurements.json", "hub/keys.json", "hub/ca/ca.pem",
        "bundles/mine/card.yaml", "wheels/x86_64-0fed88c026ba3aae/a.whl", "theirs/x.py",
    ):  # fmt: skip
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("")
    _, lock = claim_run(None)
    os.close(lock)
    assert (home / "runs" / MARKER).exists()
    assert main(["clean", "--yes", "--keep-environment"]) == 0
    assert set(content(home)) == {"bundles/mine/card.yaml", "theirs/x.py", MARKER}


def test_the_default_home_may_hold_tools_of_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / ".vigie"))
    (tmp_path / ".vigie/tools").mkdir(parents=True)
    _, lock = claim_run(None)
    os.close(lock)
    assert main(["clean", "--yes", "--keep-environment"]) == 0
    assert (tmp_path / ".vigie/tools").exists()


def test_a_volume_with_nothing_but_lost_found_is_empty(home: Path) -> None:
    (home / "lost+found").mkdir(parents=True)
    _, lock = claim_run(None)
    os.close(lock)
    assert (home / MARKER).exists()
