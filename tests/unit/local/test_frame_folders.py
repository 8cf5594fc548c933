from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vigie_devkit.local.errors import FrameFolderError, StateFolderError
from vigie_devkit.local.frame_folders import claim_frames, dead_frames, remove_dead_frames, temporary_frames

HOLD = """
import sys
from pathlib import Path
from vigie_devkit.local.frame_folders import claim_frames
descriptor = claim_frames(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def root_only() -> None:
    if os.geteuid() != 0:
        pytest.skip("another user is needed, so root is")


def test_a_folder_that_stood_open_is_private_once_claimed(tmp_path: Path) -> None:
    folder = tmp_path / "vigie-0123456789ab"
    folder.mkdir()
    folder.chmod(0o777)
    os.close(claim_frames(folder))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    root_only()
    folder = tmp_path / "vigie-0123456789ab"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(
        FrameFolderError, match=r"belongs to another user \(uid 12345\); remove it, or set VIGIE_FRAMES"
    ):
        claim_frames(folder)


def test_a_ring_that_another_user_planted_is_refused(tmp_path: Path) -> None:
    root_only()
    folder = tmp_path / "vigie-0123456789ab"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "camera.dock-1.0000abcd.ring").write_bytes(b"forged")
    os.chown(folder / "camera.dock-1.0000abcd.ring", 12345, 12345)
    with pytest.raises(FrameFolderError, match=r"holds camera\.dock-1\.0000abcd\.ring of another user"):
        claim_frames(folder)


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "vigie-0123456789ab").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((FrameFolderError, StateFolderError)):
        claim_frames(tmp_path / "vigie-0123456789ab")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_frames_of_a_killed_run_are_removed_by_the_next_start_of_anything_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "vigie-0123456789ab"
    (tmp_path / "vigie-thesis").mkdir()
    (tmp_path / "vigie-thesis/x.ring").write_text("somebody's")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        (folder / "camera.dock-1.0000abcd.ring").write_bytes(bytes(3_000_000))
        assert dead_frames(tmp_path) == []
        assert remove_dead_frames(tmp_path) == []
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert remove_dead_frames(tmp_path) == [f"frames {folder} (3.0 MB)"]
    assert [path.name for path in tmp_path.iterdir()] == ["vigie-thesis"]


def test_a_folder_for_a_while_is_gone_afterwards(tmp_path: Path) -> None:
    with temporary_frames("bench", tmp_path) as folder:
        assert dead_frames(tmp_path) == []
        (folder / "x.ring").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
