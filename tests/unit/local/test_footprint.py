from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

from vigie_devkit.local.footprint import folder_bytes, pss_bytes
from vigie_devkit.local.tree import tree

HOLDS = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    ring = mmap.mmap(file.fileno(), 0)
ring[:] = b"x" * len(ring)
print("ready", flush=True)
sys.stdin.readline()
"""


def held(ring: Path, frames: Path) -> int:
    command = [sys.executable, "-I", "-c", HOLDS, str(ring)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        found = pss_bytes(process.pid, frames)
        process.stdin.write("\n")
        process.stdin.flush()
    assert found is not None
    return found


def test_ring_pages_are_not_counted_as_a_process_s_own(tmp_path: Path) -> None:
    frames = tmp_path / "vigie-frames"
    frames.mkdir()
    ring = frames / "camera.dock.ring"
    size = 64 * 1024 * 1024
    ring.write_bytes(bytes(size))
    without, counted = held(ring, frames), held(ring, tmp_path / "elsewhere")
    assert 0 < without < size
    # The page cache shares no page of the private mapping with anybody else, so all of it is this process's.
    assert counted - without > 0.9 * size
    assert folder_bytes(frames) >= size


def test_what_is_gone_occupies_nothing(tmp_path: Path) -> None:
    assert pss_bytes(2**22, tmp_path) is None
    assert folder_bytes(tmp_path / "absent") == 0
    assert pss_bytes(os.getpid(), tmp_path) or mmap.PAGESIZE


def test_what_a_process_started_counts_as_its_own(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; block = bytearray(40_000_000); "
        "inner = 'block = bytearray(60_000_000); print(1, flush=True); input()'; "
        "child = subprocess.Popen([sys.executable, '-c', inner], stdin=subprocess.PIPE); child.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(tree(parent.pid)) == 2
        occupied = pss_bytes(parent.pid, tmp_path)
        assert occupied is not None
        assert occupied > 95_000_000
    finally:
        for pid in tree(parent.pid)[::-1]:
            os.kill(pid, signal.SIGKILL)
        parent.wait()
