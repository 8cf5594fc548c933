"""Finding an engine, or starting one, without any."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from vigie_devkit.images.engine import ContainerEngine, open_engine, started
from vigie_devkit.images.errors import ContainerEngineError, EngineCommandError


def program(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_engine_that_is_not_installed_is_named_with_what_to_do() -> None:
    with pytest.raises(ContainerEngineError, match=r"'no-such-engine info': not installed.*VIGIE_ENGINE_START"):
        open_engine("no-such-engine", {})


def test_a_client_without_a_server_does_not_count_as_an_engine(tmp_path: Path) -> None:
    client = program(tmp_path, "docker", """echo '{"ServerErrors": ["Cannot connect to the Docker daemon"]}'""")
    with pytest.raises(ContainerEngineError, match="Cannot connect"):
        open_engine(client, {})


def test_where_none_answers_the_start_command_runs_and_what_it_prints_is_used(tmp_path: Path) -> None:
    engine = program(
        tmp_path, "docker", '[ "$DOCKER_HOST" = unix:///x ] && echo "{}" || { echo no server >&2; exit 1; }'
    )
    start = program(tmp_path, "start", "echo DOCKER_HOST=unix:///x")
    opened = open_engine(engine, {**os.environ, "VIGIE_ENGINE_START": start})
    assert opened.environment["DOCKER_HOST"] == "unix:///x"


def test_an_engine_that_answers_is_not_started_again(tmp_path: Path) -> None:
    engine = program(tmp_path, "docker", "echo '{}'")
    start = program(tmp_path, "start", f"touch {tmp_path}/started")
    open_engine(engine, {**os.environ, "VIGIE_ENGINE_START": start})
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_a_start_command_that_fails_is_said(tmp_path: Path, script: str) -> None:
    with pytest.raises(ContainerEngineError, match="ended with"):
        started(program(tmp_path, "start", script))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("export DOCKER_HOST=unix:///x", {"DOCKER_HOST": "unix:///x"}),
        ("started in 3 s", {}),
        ("A=1\nnoise here=2\nB=3=4", {"A": "1", "B": "3=4"}),
    ],
)
def test_only_lines_that_set_a_variable_are_taken(tmp_path: Path, said: str, found: dict[str, str]) -> None:
    lines = said.replace("\n", "\\n")
    assert started(program(tmp_path, "start", f"printf '{lines}\\n'")) == found


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_build_shows_its_steps_in_place_and_no_advice_about_variables_that_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    client = program(
        tmp_path,
        "docker",
        "echo 'remove DOCKER_BUILDKIT=0' >&2; echo 'Step 1/2 : FROM x'; echo 'Step 2/2 : RUN y'",
    )
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with (tmp_path / "context").open("w+b") as context:
        ContainerEngine(client, os.environ).build("build", "-", stdin=context)
    assert "  step 1 of 2  FROM x" in shown.getvalue()
    assert "  step 2 of 2  RUN y" in shown.getvalue()
    assert "BUILDKIT" not in shown.getvalue()


def test_a_build_that_fails_shows_what_the_engine_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = program(tmp_path, "docker", "echo 'Step 1/1 : RUN y'; echo 'no space left on device' >&2; exit 1")
    with (
        (tmp_path / "context").open("w+b") as context,
        pytest.raises(EngineCommandError, match="exit code 1, see above"),
    ):
        ContainerEngine(client, os.environ).build("build", "-", stdin=context)
    assert "  no space left on device\n" in capsys.readouterr().err
