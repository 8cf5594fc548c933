from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

from vigie_devkit.local.footprint import folder_bytes, pss_bytes

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
