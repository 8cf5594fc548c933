"""Folders of workload sockets in /tmp: whose they are, and what a killed hub leaves there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vigie_edgehub.errors import HubStartError
from vigie_edgehub.shell import socket_folder as folders
from vigie_edgehub.shell.socket_folder import claimed_folder, dead_folders, remove_dead_folder, remove_dead_folders

CLAIM = """
import socket, sys
from pathlib import Path
from vigie_edgehub.shell.socket_folder import claimed_folder
with claimed_folder(Path(sys.argv[1])) as folder, socket.socket(socket.AF_UNIX) as left:
    left.bind(str(folder / "a.sock"))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A /tmp of our own, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A state folder whose path is too long for sockets."""
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    return folder


@pytest.fixture
def hub(tmp: Path, state: str) -> Iterator[tuple[Any, ...]]:
    command = [sys.executable, "-c", CLAIM, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def bind_and_leave(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def test_a_short_state_folder_keeps_its_sockets_to_itself(tmp: Path) -> None:
    state = tmp / "s"
    state.mkdir()
    with claimed_folder(state) as folder:
        assert folder == state / "workload"
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_what_a_killed_hub_left_goes_and_its_next_start_has_the_same_folder_again(
    tmp: Path, state: str, hub: tuple[Any, ...]
) -> None:
    process, folder = hub
    assert (folder.parent, dead_folders()) == (tmp, [])
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert dead_folders() == [folder]
    assert remove_dead_folders() == [folder]
    assert not folder.exists()
    with claimed_folder(state) as again:
        assert again == folder


def test_the_folder_of_a_living_hub_is_left_alone(hub: tuple[Any, ...]) -> None:
    _, folder = hub
    assert remove_dead_folder(folder) is False
    assert remove_dead_folders() == []
    assert (folder / "a.sock").exists()


def test_a_socket_that_answers_keeps_its_folder_even_without_a_lock(tmp: Path) -> None:
    folder = tmp / f"vigie-{os.getuid()}-0123456789ab"
    folder.mkdir()
    bind_and_leave(folder / "dead.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "alive.sock"))
        listening.listen()
        assert remove_dead_folders() == []
    assert remove_dead_folders() == [folder]


@pytest.mark.parametrize(
    "name", ["vigie-{uid}-0123456789ab", "vigie-{uid}-short", "vigie-{other}-0123456789ab", "vigie"]
)
def test_folders_with_files_and_folders_of_other_names_are_left_alone(tmp: Path, name: str) -> None:
    folder = tmp / name.format(uid=os.getuid(), other=os.getuid() + 1)
    folder.mkdir()
    bind_and_leave(folder / "a.sock")
    if folders._folders():
        (folder / "notes.txt").write_text("mine")
    assert remove_dead_folders() == []
    assert (folder / "a.sock").exists()


def test_a_link_to_a_folder_is_not_followed(tmp: Path) -> None:
    target = tmp / "elsewhere"
    target.mkdir()
    bind_and_leave(target / "a.sock")
    (tmp / f"vigie-{os.getuid()}-0123456789ab").symlink_to(target)
    assert remove_dead_folders() == []
    assert (target / "a.sock").exists()


def test_a_second_hub_on_the_folder_of_a_living_one_is_refused_with_its_reason(
    hub: tuple[Any, ...], state: str
) -> None:
    with pytest.raises(HubStartError, match="another hub still serves the sockets in"), claimed_folder(state, 0.0):
        pass


def test_a_folder_that_is_removed_while_a_hub_moves_in_is_made_again(
    tmp: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, swept = folders._opened, []

    def sweep_in_between(folder: Path) -> int:
        descriptor = opened(folder)
        if not swept:
            swept.append(folder)
            folder.rmdir()
        return descriptor

    monkeypatch.setattr(folders, "_opened", sweep_in_between)
    with claimed_folder(state) as folder:
        assert swept == [folder]
        assert folder.is_dir()
        assert remove_dead_folders() == []


def test_a_name_taken_by_a_file_refuses_the_start(tmp: Path, state: str) -> None:
    folders.socket_folder(state).write_text("")
    with pytest.raises(HubStartError, match="cannot be made"), claimed_folder(state):
        pass
