"""`vigie logs` of containers: the engine's command line, here a script that answers as Docker does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vigie_devkit.cli import main
from vigie_devkit.local.compose_logs import Container, compose_containers, new_lines
from vigie_devkit.local.paths import CHECKOUT

LINE = '{{"timestamp": "2026-11-28T10:00:0{second}.000Z", "level": "info", "event": "{event}", "module": "{module}"}}'


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two containers of this checkout; what it was asked is in `asked`."""
    camera, sync = (
        LINE.format(second=second, event=event, module=module)
        for second, event, module in ((2, "camera_opened", "camera"), (1, "ledger_opened", "sync"))
    )
    script = tmp_path / "docker"
    script.write_text(
        f"""#!/bin/sh
echo "$@" >>{tmp_path}/asked
case "$1" in
ps) echo 'aaa camera'; echo 'bbb sync' ;;
logs) case "$*" in *aaa) echo '{camera}' ;; *bbb) echo '{sync}' >&2 ;; esac ;;
esac
"""
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VIGIE_ENGINE", str(script))
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    return tmp_path / "asked"


def test_without_a_run_the_containers_of_this_checkout_are_shown_in_the_order_of_time(
    engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[2:4] for line in shown] == [["sync", "ledger_opened"], ["camera", "camera_opened"]]
    assert f"label=com.docker.compose.project.working_dir={CHECKOUT}" in engine.read_text()


def test_a_project_that_is_named_is_shown_whatever_its_folder(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "dock")
    assert main(["logs"]) == 0
    assert "label=com.docker.compose.project=dock" in engine.read_text()


def test_one_service_is_shown_and_an_unknown_one_is_answered_with_those_there_are(
    engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "--compose", "camera", "-n", "7"]) == 0
    assert "camera_opened" in capsys.readouterr().out
    assert "logs --tail 7 aaa" in engine.read_text()
    assert main(["logs", "--compose", "kamera"]) == 2
    assert "there is no log of 'kamera'; there are camera, sync" in capsys.readouterr().err


@pytest.mark.usefixtures("engine")
def test_lines_are_followed_until_the_containers_stop() -> None:
    lines = list(new_lines([Container("camera", "aaa"), Container("sync", "bbb")]))
    assert sorted("camera_opened" in line for line in lines) == [False, True]


def test_without_engine_and_run_it_is_said_what_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIE_ENGINE", str(tmp_path / "none"))
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    assert compose_containers(CHECKOUT) == []
    assert main(["logs", "--compose"]) == 3
    assert "no container of docker compose was started from" in capsys.readouterr().err
    assert main(["logs"]) == 3
    assert "nothing has run yet" in capsys.readouterr().err
