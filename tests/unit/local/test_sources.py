from __future__ import annotations

from pathlib import Path

import pytest

from vigie_devkit.local.errors import SourceError
from vigie_devkit.local.secret_values import SecretValues
from vigie_devkit.local.sources import DEFAULT_SOURCE, CameraSource, hide_passwords, name_for, read_sources


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "Dock 1 (west).mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    return path


def test_without_a_source_the_synthetic_conveyor_runs_at_real_time() -> None:
    (camera,) = read_sources([], SecretValues({}))
    assert (camera.name, camera.url, camera.live) == ("conveyor", DEFAULT_SOURCE, True)
    assert camera.settings(pace=None, loop=False, frames=None) == {"source": DEFAULT_SOURCE, "pace": "realtime"}


def test_a_file_runs_at_full_pace_unless_told_otherwise(video: Path) -> None:
    (camera,) = read_sources([str(video)], SecretValues({}))
    assert camera.name == "dock-1-west"
    assert camera.settings(pace=None, loop=False, frames=400)["pace"] == "max"
    settings = camera.settings(pace="realtime", loop=True, frames=400)
    assert settings == {"source": str(video), "pace": "realtime", "loop": True, "frames": 400}


def test_the_same_source_twice_is_two_cameras(video: Path) -> None:
    assert [camera.name for camera in read_sources([str(video)] * 3, SecretValues({}))] == [
        "dock-1-west",
        "dock-1-west-2",
        "dock-1-west-3",
    ]


@pytest.mark.parametrize(
    ("url", "template", "secrets"),
    [
        (
            "rtsp://viewer:s3cr@t!@10.0.0.7:8554/a?channel=1",
            "rtsp://viewer:${CAMERA_DOCK_PASSWORD}@10.0.0.7:8554/a?channel=1",
            {"CAMERA_DOCK_PASSWORD": "s3cr@t!"},
        ),
        ("rtsp://viewer:${DOCK}@host/a", "rtsp://viewer:${DOCK}@host/a", {}),
        ("rtsp://viewer@host/a", "rtsp://viewer@host/a", {}),
        ("rtsp://u:a%40b@host/a", "rtsp://u:${CAMERA_DOCK_PASSWORD}@host/a", {"CAMERA_DOCK_PASSWORD": "a@b"}),
        ("rtsp://h/a;token=x1", "rtsp://h/a;token=${CAMERA_DOCK_PASSWORD}", {"CAMERA_DOCK_PASSWORD": "x1"}),
        ("rtsp://host/a@b", "rtsp://host/a@b", {}),
        ("rtsp://:pw@host", "rtsp://:${CAMERA_DOCK_PASSWORD}@host", {"CAMERA_DOCK_PASSWORD": "pw"}),
        (
            "rtsp://host/live?user=admin&password=pw1&channel=1",
            "rtsp://host/live?user=admin&password=${CAMERA_DOCK_PASSWORD}&channel=1",
            {"CAMERA_DOCK_PASSWORD": "pw1"},
        ),
        (
            "rtsp://u:one@host/live?pwd=two",
            "rtsp://u:${CAMERA_DOCK_PASSWORD}@host/live?pwd=${CAMERA_DOCK_PASSWORD_2}",
            {"CAMERA_DOCK_PASSWORD": "one", "CAMERA_DOCK_PASSWORD_2": "two"},
        ),
    ],
)
def test_passwords_leave_the_url_and_are_kept_apart(url: str, template: str, secrets: dict[str, str]) -> None:
    assert hide_passwords(url, "dock") == (template, secrets)


def test_neither_the_name_nor_the_repr_of_a_camera_shows_its_password() -> None:
    (camera,) = read_sources(["rtsp://viewer:hunter2@cam.example/stream/1"], SecretValues({}))
    assert camera.name == "cam-example-stream-1"
    assert "hunter2" not in repr(camera)
    assert set(camera.secrets.values()) == {"hunter2"}


def test_a_secret_named_in_the_url_comes_from_its_file_or_the_environment(tmp_path: Path) -> None:
    (tmp_path / "FROM_FILE").write_text("one\n")
    environ = {"VIGIE_SECRETS": str(tmp_path), "FROM_ENV": "two"}
    cameras = read_sources(["rtsp://u:${FROM_FILE}@h/a", "rtsp://u:${FROM_ENV}@h/b"], SecretValues(dict(environ)))
    assert [dict(camera.secrets) for camera in cameras] == [{"FROM_FILE": "one"}, {"FROM_ENV": "two"}]
    with pytest.raises(SourceError, match="names a secret ABSENT: pass --secret ABSENT=FILE"):
        read_sources(["rtsp://u:${ABSENT}@h/a"], SecretValues(dict(environ)))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("absent.mp4", "there is no file absent.mp4"),
        ("rtmp://host/stream", "'rtmp://' is not a known kind of source"),
        ("rtsp:///only-a-path", "names no host"),
        ("synthetic://mars", "expected one of conveyor"),
        ("synthetic://conveyor?fps=0", "expected 0.1..240 frames per second"),
    ],
)
def test_a_source_that_cannot_open_is_one_sentence(word: str, sentence: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_sources([word], SecretValues({}))
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"just a text\n", b"\x89PNG\r\n\x1a\n" + bytes(50)], ids=["empty", "text", "png"]
)
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as a video"):
        read_sources([str(path)], SecretValues({}))


def test_a_folder_is_refused_for_now(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        read_sources([str(tmp_path)], SecretValues({}))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("/videos/Übergang.mp4", "bergang"),
        ("rtsp://10.0.0.7:554/Streaming/Channels/101", "10-0-0-7-554-streaming-channels"),
        ("/videos/....mp4", "camera"),
        ("synthetic://conveyor?seed=9", "conveyor"),
    ],
)
def test_camera_names_are_plain(word: str, name: str) -> None:
    assert name_for(word) == name


@pytest.mark.parametrize(
    "word",
    [
        "rtsp://u:secret@h/a",
        "rtsp://h/a?password=secret",
        "rtsp://h/a;token=secret",
        "/videos/Été.mp4",
        "rtsp://[::1]:8/x",
    ],
)
def test_what_up_writes_into_the_twin_is_what_the_camera_module_accepts(word: str) -> None:
    import msgspec

    from vigie_camera.config import CameraConfig
    from vigie_camera.sources import plan_source

    name = name_for(word)
    url, _ = hide_passwords(word, name)
    camera = CameraSource(name, url, live=True)
    for pace in (None, "max", "realtime"):
        settings = camera.settings(pace=pace, loop=True, frames=3)  # type: ignore[arg-type]
        msgspec.convert({"cameras": {name: settings}}, CameraConfig)
    plan_source(url)
