"""The hub of compose.yaml: what it makes of VIGIE_CAMERA and VIGIE_MODEL before it is a hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vigie_devkit.local.container import main, prepare
from vigie_devkit.local.errors import SourceError
from vigie_devkit.local.manifest import TEMPLATE


def prepared(folder: Path, **environ: str) -> dict:
    (folder / "home").mkdir(exist_ok=True)
    environ = {"VIGIE_HOME": str(folder / "home"), **environ}
    file = prepare(environ, template=TEMPLATE, secrets=folder / "secrets", listed=folder / "cameras")
    return json.loads(file.read_text())["modulesContent"]


def cameras(folder: Path, **environ: str) -> dict:
    return prepared(folder, **environ)["camera"]["properties.desired"]["cameras"]


def test_without_a_camera_it_is_the_synthetic_conveyor(tmp_path: Path) -> None:
    assert cameras(tmp_path) == {"conveyor": {"source": "synthetic://conveyor?seed=1&fps=30", "pace": "realtime"}}


def test_a_password_becomes_a_file_that_only_the_camera_gets_and_never_reaches_the_twin(tmp_path: Path) -> None:
    (tmp_path / "cameras").write_text("# the dock\nrtsp://operator:s3cr%2Ft@192.0.2.10/stream1\n")
    found = cameras(tmp_path, VIGIE_CAMERA="synthetic://conveyor")
    assert len(found) == 1, "the file counts where there is one"
    assert next(iter(found.values()))["source"].count("s3cr") == 0
    files = sorted((tmp_path / "secrets").iterdir())
    assert [file.read_text() for file in files] == ["s3cr/t", "192.0.2.10"]
    assert f"${{{files[0].name}}}" in next(iter(found.values()))["source"]
    assert files[0].stat().st_mode & 0o777 == 0o640, "the camera is another user of the hub's group"


def test_a_password_in_the_environment_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'docker inspect' shows; write the sources into a file") as refused:
        cameras(tmp_path, VIGIE_CAMERA="rtsp://operator:s3cret@192.0.2.10/stream1")
    assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "secrets").exists()


def test_a_file_of_cameras_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cameras").mkdir()
    with pytest.raises(SourceError, match="give it to group 1250"):
        cameras(tmp_path)


def test_the_file_that_compose_mounts_without_one_names_no_camera(tmp_path: Path) -> None:
    (tmp_path / "cameras").write_text((TEMPLATE.parent / "deploy/no-cameras.txt").read_text())
    assert list(cameras(tmp_path, VIGIE_CAMERA="synthetic://conveyor?seed=2")) == ["conveyor"]


def test_several_cameras_are_separated_by_blanks(tmp_path: Path) -> None:
    assert list(cameras(tmp_path, VIGIE_CAMERA="synthetic://conveyor  synthetic://conveyor?seed=2")) == [
        "conveyor",
        "conveyor-2",
    ]


def test_a_path_is_one_inside_the_cameras_container_so_it_is_not_looked_for_here(tmp_path: Path) -> None:
    assert cameras(tmp_path, VIGIE_CAMERA="/videos/dock.mp4") == {
        "dock": {"source": "/videos/dock.mp4", "pace": "realtime", "loop": True}
    }


def test_the_model_is_the_environments_or_the_one_that_ships(tmp_path: Path) -> None:
    assert prepared(tmp_path)["inference"]["properties.desired"]["model"]["path"] == "/models/conveyor-parts"
    other = prepared(tmp_path, VIGIE_MODEL="/models/mine")["inference"]["properties.desired"]["model"]
    assert other["path"] == "/models/mine"


def test_a_source_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a known kind of source"):
        cameras(tmp_path, VIGIE_CAMERA="gopher://x/y")


def test_it_ends_with_one_sentence_when_a_source_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIE_CAMERA", "gopher://x/y")
    assert main([]) == 4
    assert capsys.readouterr().err.count("\n") == 1
