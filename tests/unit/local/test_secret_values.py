"""A person's passwords: where they may come from, and where they do not stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vigie_devkit.local.errors import UsageError
from vigie_devkit.local.prepare import write_secrets
from vigie_devkit.local.secret_values import SecretValues, secret_values
from vigie_devkit.local.sources import read_sources

SCRIPT = """
import pathlib, sys
from vigie_devkit.local.command_line import without_passwords
from vigie_devkit.local.secret_values import secret_values
words = [word for word in sys.argv[1:] if "://" in word]
without_passwords(words)
print(pathlib.Path("/proc/self/cmdline").read_text().replace(chr(0), " "))
given = [sys.argv[at + 1] for at, word in enumerate(sys.argv) if word == "--secret"]
values = secret_values(given, {})
print("VALUES", [values.find(word.partition("=")[0], "") for word in given])
"""


def test_a_password_leaves_the_command_line_that_everybody_can_read() -> None:
    sources = ["rtsp://viewer:hunter2@cam/live", "rtsp://viewer:other-one@cam/live", "rtsp://cam/x?pw=third"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *sources], capture_output=True, text=True, timeout=60, check=True
    )
    line, _, values = done.stdout.rpartition("VALUES")
    assert "rtsp://viewer:${CAMERA_CAM_LIVE_PASSWORD}@cam/live" in line
    assert not any(secret in line for secret in ("hunter2", "other-one", "third"))
    assert values.split() == ["['hunter2',", "'other-one',", "'third']"]


def test_children_inherit_no_secret_variable() -> None:
    environ = {"PATH": "/bin", "DOCK": "one", "VIGIE_SECRET_GATE": "two", "VIGIE_SECRET_HOST_GATE": "h"}
    values = SecretValues(environ)
    (camera,) = read_sources(["rtsp://u:${DOCK}@h/a?pw=${GATE}"], values)
    values.forget(list(camera.secrets))
    assert dict(camera.secrets) == {"DOCK": "one", "GATE": "two"}
    assert environ == {"PATH": "/bin"}


def test_a_secret_comes_from_the_file_that_is_named_first(tmp_path: Path) -> None:
    (tmp_path / "dock").write_text("from the file\n")
    values = secret_values([f"DOCK={tmp_path / 'dock'}"], {"DOCK": "from a variable"})
    assert values.find("DOCK", "rtsp://u:${DOCK}@h") == "from the file"


@pytest.mark.parametrize("word", ["DOCK", "=x", "A B=x", "DOCK="])
def test_what_is_not_name_and_file_is_refused_without_repeating_it(word: str) -> None:
    with pytest.raises(UsageError, match="takes NAME=FILE"):
        secret_values([word], {})


def test_the_camera_module_gets_each_secret_with_the_host_that_may_have_it(tmp_path: Path) -> None:
    cameras = read_sources(
        ["rtsp://u:one@cam-1/a", "rtsp://u:${B}@cam-2/a", "rtsp://u:${B}@cam-3/a"], SecretValues({"B": "two"})
    )
    write_secrets(tmp_path / "secrets", cameras)
    written = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert written == {
        "CAMERA_CAM_1_A_PASSWORD": "one",
        "CAMERA_CAM_1_A_PASSWORD.host": "cam-1",
        "B": "two",
        "B.host": "cam-2\ncam-3",
    }
    assert all(path.stat().st_mode & 0o077 == 0 for path in [tmp_path / "secrets", *(tmp_path / "secrets").iterdir()])
