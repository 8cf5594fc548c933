from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie_devkit.local.leftovers import clear_leftovers
from vigie_devkit.local.paths import RunPaths
from vigie_devkit.local.processes import ProcessId, start_ticks
from vigie_devkit.local.record import RunRecord, read_record, write_record
from vigie_edgehub.shell.socket_folder import socket_folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    monkeypatch.setenv("VIGIE_FRAMES", str(tmp_path / "shm"))
    run = RunPaths(tmp_path / "home", "local")
    run.make()
    return run


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-I", "-c", "import time\nwhile True: time.sleep(1)"])
    yield process
    process.kill()
    process.wait()


def record_of(process: ProcessId, run: RunPaths, workload: Path | None = None) -> RunRecord:
    return RunRecord(
        up=ProcessId(2**22, 1),
        started_at="2026-01-01T00:00:00+00:00",
        listen="127.64.0.1",
        frames=str(run.frames),
        workload=str(workload) if workload else None,
        processes={"camera": process},
    )


def test_orphans_frames_and_sockets_of_a_killed_run_go(
    run: RunPaths, sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    identity = ProcessId(sleeper.pid, start_ticks(sleeper.pid) or 0)
    workload = tmp_path / "w"
    workload.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(workload / "camera.sock"))
    (run.frames / "camera.dock.ring").write_bytes(bytes(100))
    run.module("camera").mkdir()
    (run.module("camera") / "http.json").write_text("{}")
    run.hub_json.write_text(json.dumps({"pid": 1, "workload_dir": str(workload)}))
    write_record(run.record, record_of(identity, run, workload))

    removed = clear_leftovers(run)

    sleeper.wait(10)
    assert not run.frames.exists()
    assert not workload.exists()
    assert not run.hub_json.exists()
    assert not (run.module("camera") / "http.json").exists()
    assert read_record(run.record) is None
    assert [what.split()[0] for what in removed] == ["process", "sockets", "frames"]
    assert clear_leftovers(run) == [], "cleaning twice finds something"


def test_the_socket_folder_goes_when_the_hub_was_killed_between_its_description_and_its_end(run: RunPaths) -> None:
    # The record of a hub that was never ready names no folder, and hub.json is the first to go when a hub ends.
    folder = socket_folder(run.hub)
    folder.mkdir(parents=True)
    write_record(run.record, record_of(ProcessId(os.getpid(), 1), run))
    assert clear_leftovers(run) == [f"sockets {folder}"]
    assert not folder.exists()


def test_the_sockets_of_a_hub_that_lives_are_left_alone(run: RunPaths) -> None:
    folder = socket_folder(run.hub)
    folder.mkdir(parents=True)
    try:
        with socket.socket(socket.AF_UNIX) as served:
            served.bind(str(folder / "camera.sock"))
            served.listen()
            assert clear_leftovers(run) == []
            assert (folder / "camera.sock").exists()
    finally:
        shutil.rmtree(folder)


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(run: RunPaths, sleeper: subprocess.Popen[bytes]) -> None:
    other_start = ProcessId(sleeper.pid, (start_ticks(sleeper.pid) or 0) - 1)
    write_record(run.record, record_of(other_start, run))
    assert clear_leftovers(run) == []
    assert sleeper.poll() is None


def test_a_folder_that_holds_more_than_sockets_is_left_alone(run: RunPaths, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    write_record(run.record, record_of(ProcessId(os.getpid(), 1), run, precious))
    clear_leftovers(run)
    assert (precious / "thesis.txt").exists()


def test_a_record_that_was_cut_off_does_not_stop_the_next_start(run: RunPaths) -> None:
    run.record.write_text('{"up": {"pid"')
    run.hub_json.write_text("")
    assert clear_leftovers(run) == []
