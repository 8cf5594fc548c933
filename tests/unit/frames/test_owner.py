"""A local user who makes the frame folder first, or plants a ring, gets no pixel in and none out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from vigie.errors import FrameGoneError, RingRefusedError
from vigie.frames import RingPool, RingWriter

FRAME = np.full((4, 6, 3), 7, np.uint8)
STRANGER = 12345


def give_away(path: Path) -> None:
    """To another user."""
    if os.geteuid() != 0:
        pytest.skip("another user is needed, so root is")
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def test_a_folder_that_another_user_made_first_is_not_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "vigie"
    folder.mkdir()
    give_away(folder)
    with pytest.raises(RingRefusedError, match=r"belongs to another user \(uid 12345\)"):
        RingWriter.open(folder, "camera.dock", slot_bytes=72, slots=2)
    assert list(folder.iterdir()) == []


def test_a_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "vigie").symlink_to(tmp_path / "elsewhere")
    give_away(tmp_path / "vigie")
    with pytest.raises(RingRefusedError, match="behind a link of another user"):
        RingWriter.open(tmp_path / "vigie", "camera.dock", slot_bytes=72, slots=2)


def test_an_own_folder_that_stands_open_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "vigie"
    folder.mkdir()
    folder.chmod(0o777)
    RingWriter.open(folder, "camera.dock", slot_bytes=72, slots=2).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o770


def test_a_forged_ring_is_not_read(tmp_path: Path) -> None:
    """The folder stands open, as one that its owner made by hand; the stranger put a whole, valid ring into it."""
    with RingWriter.open(tmp_path / "vigie", "camera.dock", slot_bytes=72, slots=2) as writer:
        reference = writer.write(FRAME)
    assert reference is not None
    ring = tmp_path / "vigie" / f"{reference.ring}.ring"
    with RingPool(tmp_path / "vigie") as pool, pool.lease(reference) as seen:
        assert seen[0, 0, 0] == 7
    give_away(ring)
    (tmp_path / "vigie").chmod(0o777)
    with (
        RingPool(tmp_path / "vigie") as pool,
        pytest.raises(FrameGoneError, match=r"belongs to another user") as gone,
        pool.lease(reference),
    ):
        pass
    assert gone.value.reason == "ring_refused"


def test_a_ring_of_another_user_is_not_written_to_again(tmp_path: Path) -> None:
    """Its maker could read what comes into it: the writer makes a new file."""
    with RingWriter.open(tmp_path / "vigie", "camera.dock", slot_bytes=72, slots=2) as writer:
        before = writer.ring
    give_away(tmp_path / "vigie" / f"{before}.ring")
    with RingWriter.open(tmp_path / "vigie", "camera.dock", slot_bytes=72, slots=2) as writer:
        assert writer.ring != before
    assert not (tmp_path / "vigie" / f"{before}.ring").exists()


def test_modules_of_one_group_read_each_others_rings_in_a_volume_of_the_engine(tmp_path: Path) -> None:
    with RingWriter.open(tmp_path / "vigie", "camera.dock", slot_bytes=72, slots=2) as writer:
        reference = writer.write(FRAME)
    assert reference is not None
    give_away(tmp_path / "vigie" / f"{reference.ring}.ring")
    (tmp_path / "vigie").chmod(0o2770)
    with RingPool(tmp_path / "vigie") as pool, pool.lease(reference) as seen:
        assert seen[0, 0, 0] == 7
