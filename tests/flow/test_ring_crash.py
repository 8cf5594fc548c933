"""The ring against what really happens to processes: killed, stopped, restarted, at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError, RingBusyError
from vigie.frames import RingPool, RingWriter

SUPPORT = Path(__file__).parents[1] / "support"
KILLS = 120


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In shared memory where there is any: on a disk the kernel's write-back would set the pace."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="vigie-test-", dir=shm if os.access(shm, os.W_OK) else tmp_path) as made:
        yield Path(made)


def crash_run(folder: Path, seed: int, mode: str) -> dict:
    command = [sys.executable, str(SUPPORT / "ring_crash.py"), str(folder), str(seed), str(KILLS), mode]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@contextlib.contextmanager
def holder(folder: Path, wanted: list[dict]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "ring_hold.py"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdin.write("".join(json.dumps(one) + "\n" for one in wanted))
        process.stdin.close()
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def as_json(reference: RingReference) -> dict:
    return msgspec.to_builtins(reference)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_torn_or_stale_frame_is_accepted_when_either_side_is_killed_at_random_moments(
    folder: Path, seed: int
) -> None:
    report = crash_run(folder, seed, "protected")
    assert report["torn"] == 0
    assert report["good"] >= KILLS
    assert report["gone"] > 0, "the reader never raced with the writer: the run proves nothing"
    assert report["odd_reason"] == 0
    assert report["files"] == 1, "a restarted writer re-attaches to the same file"
    assert min(report["killed"].values()) > KILLS / 4


def test_the_same_run_without_the_lock_does_accept_torn_frames(folder: Path) -> None:
    assert crash_run(folder, 1, "unprotected")["torn"] > 0


def test_a_stopped_reader_costs_its_slots_and_never_blocks_the_writer(folder: Path) -> None:
    with RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=4) as ring:
        references = [ring.write(np.full(64, n, np.uint8)) for n in range(2)]
        with holder(folder, [as_json(reference) for reference in references]) as reader:
            reader.send_signal(signal.SIGSTOP)
            held = {reference.slot for reference in references}
            for n in range(200):
                written = ring.write(np.full(64, n, np.uint8))
                assert written is not None
                assert written.slot not in held


def test_a_ring_that_stopped_readers_hold_as_a_whole_drops_and_a_killed_reader_frees_it(folder: Path) -> None:
    with RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=2) as ring:
        references = [ring.write(np.zeros(64, np.uint8)) for _ in range(2)]
        with holder(folder, [as_json(reference) for reference in references]) as reader:
            reader.send_signal(signal.SIGSTOP)
            assert ring.write(np.zeros(64, np.uint8)) is None
            reader.kill()
            reader.wait(10)
            assert ring.write(np.zeros(64, np.uint8)) is not None


def test_a_stopped_writer_makes_its_slot_gone_and_keeps_nobody_waiting(folder: Path) -> None:
    with RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=1) as ring:
        reference = ring.write(np.zeros(64, np.uint8))
    with RingPool(folder) as pool:
        with pool.lease(reference):
            pass
        with holder(folder, [{"write": "camera-dock"}]) as writer:
            writer.send_signal(signal.SIGSTOP)
            with pytest.raises(FrameGoneError) as caught, pool.lease(reference):
                pass
            assert caught.value.reason == "overwritten"


def test_a_second_writer_learns_which_process_writes_and_takes_over_once_it_is_killed(folder: Path) -> None:
    with holder(folder, [{"write": "camera-dock"}]) as writer:
        with pytest.raises(RingBusyError, match=f"written by process {writer.pid};"):
            RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=1)
        writer.kill()
        writer.wait(10)
        with RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=1) as ring, RingPool(folder) as pool:
            reference = ring.write(np.ones(64, np.uint8))
            with pool.lease(reference) as frame:
                assert frame.all()


def test_a_user_who_may_only_read_the_folder_can_lease(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user is needed, so root is")
    folder.chmod(0o755)
    with RingWriter.open(folder, "camera-dock", slot_bytes=64, slots=2) as ring:
        reference = ring.write(np.ones(64, np.uint8))
        (folder / f"{ring.ring}.ring").chmod(0o644)
        code = (
            "import os, sys, json, msgspec, pathlib;"
            "from vigie.contracts.pixels import RingReference; from vigie.frames.reader import RingPool;"
            "os.setgid(65534); os.setuid(65534);"
            "reference = msgspec.json.decode(sys.argv[2], type=RingReference);"
            "lease = RingPool(pathlib.Path(sys.argv[1])).lease(reference); assert lease.__enter__().all()"
        )
        command = [sys.executable, "-c", code, str(folder), json.dumps(as_json(reference))]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
