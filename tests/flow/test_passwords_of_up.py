"""Cameras' passwords that are given to `./vigie up`: only the camera module has them, whatever one looks into."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support import models
from support.product import Home
from support.web_camera import web_camera

PASSWORD = "hunter2-Swordfish"


def shown(pid: int, *files: str) -> bytes:
    try:
        return b"\0".join(Path(f"/proc/{pid}/{file}").read_bytes() for file in files)
    except OSError:
        return b""


def holders(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


@pytest.mark.timeout(400)
def test_passwords_given_to_up_are_in_no_command_line_no_environment_and_no_readable_file(tmp_path: Path) -> None:
    home, model = Home(tmp_path / "home"), str(models.save(models.yolox(), tmp_path))
    (tmp_path / "gate").write_text(PASSWORD)
    words = (PASSWORD, "${DOOR}", "${GATE}")
    with web_camera(credentials=("guard", PASSWORD)) as camera:
        sources = [
            camera.url(f"/mjpeg?channel={number}").replace("://", f"://guard:{word}@")
            for number, word in enumerate(words)
        ]
        options = ["--secret", f"GATE={tmp_path / 'gate'}", "--model", model]
        with home.running(*sources, *options, DOOR=PASSWORD) as run:
            signed_in = {f"/mjpeg?channel={number}" for number in range(len(words))}
            run.wait_until(
                lambda: signed_in <= {path for path, proof in camera.asked if proof},
                timeout_s=150,
                what="all three cameras with their passwords",
            )
            mark, up = os.fsencode(home.path), run.process.pid
            everybody = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
            ours = [pid for pid in everybody if mark in shown(pid, "cmdline", "environ")]
            assert {up, *(run.module_pid(name) for name in ("camera", "preprocess", "inference", "sync"))} <= set(ours)
            assert [pid for pid in ours if PASSWORD.encode() in shown(pid, "cmdline")] == []
            # The one who started it has the variable in the environment of `up`; nobody below it inherits that.
            assert [pid for pid in ours if pid != up and PASSWORD.encode() in shown(pid, "environ")] == []
            assert all(path.stat().st_mode & 0o077 == 0 for path in holders(home.path))
            assert PASSWORD not in run.tail()
            run.process.send_signal(signal.SIGTERM)
            run.process.wait(120)
    assert holders(home.path) == []
