from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vigie.errors import RingNoSpaceError
from vigie.frames import RingWriter, check_space, ring_bytes


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[str]:
    """A tmpfs of 1 MiB of our own."""
    folder = tmp_path / "frames"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"this machine does not let root mount a tmpfs: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_tmpfs_that_is_too_small_is_refused_at_start_with_needed_and_free(small_tmpfs: str) -> None:
    needed = ring_bytes(slots=4, slot_bytes=640 * 480 * 3)
    with pytest.raises(RingNoSpaceError) as caught:
        RingWriter.open(small_tmpfs, "camera-dock", slot_bytes=640 * 480 * 3, slots=4)
    assert caught.value.needed_bytes == needed
    assert 0 < caught.value.free_bytes <= 1 << 20
    assert "3.5 MiB needed, 1.0 MiB free; enlarge the tmpfs" in str(caught.value)
    assert [path.name for path in small_tmpfs.iterdir()] == ["camera-dock.writer"]


def test_a_full_tmpfs_is_refused_and_taken_once_there_is_room(small_tmpfs: str) -> None:
    (small_tmpfs / "other").write_bytes(b"\0" * 900_000)
    with pytest.raises(RingNoSpaceError):
        RingWriter.open(small_tmpfs, "camera-dock", slot_bytes=100_000, slots=4)
    (small_tmpfs / "other").unlink()
    with RingWriter.open(small_tmpfs, "camera-dock", slot_bytes=100_000, slots=4) as ring:
        (small_tmpfs / "other").write_bytes(b"\0" * 400_000)
        for _ in range(8):
            assert ring.write(np.ones(100_000, np.uint8)), "every page was allocated at start"


def test_a_former_geometry_makes_room_before_the_new_one_is_measured(small_tmpfs: str) -> None:
    RingWriter.open(small_tmpfs, "camera-dock", slot_bytes=200_000, slots=4).close()
    RingWriter.open(small_tmpfs, "camera-dock", slot_bytes=180_000, slots=4).close()


def test_needed_space_is_what_the_file_takes(tmp_path: Path) -> None:
    with RingWriter.open(tmp_path, "camera-dock", slot_bytes=5000, slots=3) as ring:
        assert (tmp_path / f"{ring.ring}.ring").stat().st_size == ring_bytes(slots=3, slot_bytes=5000)


def test_enough_space_is_no_error_and_more_than_exists_is(tmp_path: Path) -> None:
    check_space(tmp_path, 1)
    with pytest.raises(RingNoSpaceError):
        check_space(tmp_path, 1 << 60)
