"""A disk that is slow or fails on command: what is asked of it, and what it does with a plain folder behind it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from vigie_devkit.faults.bad_disk import Files, said


@pytest.mark.parametrize(
    ("command", "does"),
    [
        ("slow 250\n", (0.25, False)),
        ("eio", (0.0, True)),
        ("", (0.0, False)),
        ("slow", (0.0, False)),
        ("x 1", (0.0, False)),
    ],
    ids=["slow", "fails", "nothing", "slow-by-nothing", "another-word"],
)
def test_a_command_says_how_long_a_write_takes_and_whether_it_fails(command: str, does: tuple[float, bool]) -> None:
    assert said(command) == does


def test_a_well_disk_does_what_its_folder_does(tmp_path: Path) -> None:
    folder = tmp_path / "behind"
    folder.mkdir()
    files = Files(folder, tmp_path / "command")
    handle = files("create", "/ledger.db", 0o600)
    assert files("write", "/ledger.db", b"abc", 2, handle) == 3
    files("fsync", "/ledger.db", 0, handle)
    assert files("read", "/ledger.db", 9, 0, handle) == b"\0\0abc"
    files("release", "/ledger.db", handle)
    files("rename", "/ledger.db", "/kept.db")
    files("link", "/again.db", "/kept.db")
    assert sorted(files("readdir", "/", 0)) == [".", "..", "again.db", "kept.db"]
    assert files("getattr", "/kept.db")["st_size"] == 5
    assert files("getattr", "/kept.db")["st_nlink"] == 2
    files("truncate", "/kept.db", 1)
    files("unlink", "/again.db")
    assert [(path.name, path.stat().st_size) for path in folder.iterdir()] == [("kept.db", 1)]
    with pytest.raises(OSError, match="not implemented") as unknown:
        files("poll", "/kept.db")
    assert unknown.value.errno == errno.ENOSYS


def test_a_disk_that_fails_reads_and_does_not_write_until_it_is_well(tmp_path: Path) -> None:
    (tmp_path / "behind").mkdir()
    (tmp_path / "behind" / "ledger.db").write_bytes(b"old")
    files, command = Files(tmp_path / "behind", tmp_path / "command"), tmp_path / "command"
    handle = files("open", "/ledger.db", os.O_RDWR)
    command.write_text("eio", encoding="ascii")
    for operation in (
        ("write", "/ledger.db", b"new", 0, handle),
        ("fsync", "/ledger.db", 0, handle),
        ("create", "/b", 0o600),
    ):
        with pytest.raises(OSError, match="Input/output error") as failed:
            files(*operation)
        assert failed.value.errno == errno.EIO
    assert files("read", "/ledger.db", 9, 0, handle) == b"old"
    command.unlink()
    assert files("write", "/ledger.db", b"new", 0, handle) == 3
    files("release", "/ledger.db", handle)
    assert (tmp_path / "behind" / "ledger.db").read_bytes() == b"new"


def test_a_disk_that_hangs_answers_nothing_until_it_is_well(tmp_path: Path) -> None:
    (tmp_path / "behind").mkdir()
    (tmp_path / "behind" / "a.jpg").write_bytes(b"picture")
    files, command = Files(tmp_path / "behind", tmp_path / "command"), tmp_path / "command"
    handle = files("open", "/a.jpg", os.O_RDONLY)
    command.write_text("hang", encoding="ascii")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(files("read", "/a.jpg", 7, 0, handle)))
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()
    command.unlink()
    reader.join(60)
    assert got == [b"picture"]
    files("release", "/a.jpg", handle)
