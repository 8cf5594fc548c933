from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.pixels import RandomPixels
from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError, FrameTooLargeError, RingBusyError, RingRefusedError
from vigie.frames import RingPool, RingWriter, remove_dead_rings

SHAPE = (24, 32, 3)
PIXELS = RandomPixels(SHAPE, seed=1)
SLOT_BYTES = 24 * 32 * 3


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def open_ring(folder: Path, slots: int = 4, **extra: Any) -> RingWriter:
    return RingWriter.open(folder, "camera-dock", slot_bytes=SLOT_BYTES, slots=slots, **extra)


def ring_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ".ring" in path.name)


def test_what_was_committed_is_what_a_reader_sees(tmp_path: Path) -> None:
    with open_ring(tmp_path) as ring, RingPool(tmp_path) as pool:
        with ring.slot(SHAPE) as view:
            view.array[:] = PIXELS.frame(1)
            reference = view.commit()
        with pool.lease(reference) as frame:
            assert np.array_equal(frame, PIXELS.frame(1))


def test_leaving_without_commit_discards_and_the_former_frame_of_that_slot_is_gone_too(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=1) as ring, RingPool(tmp_path) as pool:
        former = ring.write(PIXELS.frame(1))
        with ring.slot(SHAPE) as view:
            view.array[:4] = 0
        with pytest.raises(FrameGoneError) as caught, pool.lease(former):
            pass
        assert caught.value.reason == "overwritten"
        assert ring.write(PIXELS.frame(2)).sequence > former.sequence


def test_the_slot_of_a_frame_that_was_never_sent_is_written_before_one_that_is_on_its_way(tmp_path: Path) -> None:
    with open_ring(tmp_path) as ring, RingPool(tmp_path) as pool:
        on_its_way = ring.write(PIXELS.frame(1))
        for number in range(2, 20):
            ring.release(ring.write(PIXELS.frame(number)))
        with pool.lease(on_its_way) as frame:
            assert np.array_equal(frame, PIXELS.frame(1))


def test_releasing_a_reference_whose_slot_was_written_again_changes_nothing(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=2) as ring, RingPool(tmp_path) as pool:
        former = ring.write(PIXELS.frame(1))
        ring.write(PIXELS.frame(2))
        newer = ring.write(PIXELS.frame(3))
        assert newer.slot == former.slot
        ring.release(former)
        ring.release(RingReference("camera-dock~gone", former.slot, former.sequence, former.shape, former.dtype))
        ring.write(PIXELS.frame(4))
        with pool.lease(newer) as frame:
            assert np.array_equal(frame, PIXELS.frame(3))


def test_an_exception_inside_the_block_frees_the_slot(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=1) as ring:
        with pytest.raises(RuntimeError, match="camera broke"), ring.slot(SHAPE):
            raise RuntimeError("camera broke")
        assert ring.write(PIXELS.frame(1)) is not None


def test_the_oldest_free_slot_is_taken(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=3) as ring, RingPool(tmp_path) as pool:
        first, second, third = (ring.write(PIXELS.frame(n)) for n in range(3))
        with pool.lease(first):
            assert ring.write(PIXELS.frame(3)).slot == second.slot
            assert ring.write(PIXELS.frame(4)).slot == third.slot
        assert ring.write(PIXELS.frame(5)).slot == first.slot


def test_all_slots_held_gives_none_at_once(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=2) as ring, RingPool(tmp_path) as pool:
        references = [ring.write(PIXELS.frame(n)) for n in range(2)]
        with pool.lease(references[0]), pool.lease(references[1]):
            assert ring.write(PIXELS.frame(2)) is None
            with ring.slot(SHAPE) as view:
                assert view is None
        assert ring.write(PIXELS.frame(3)) is not None


def test_two_slots_open_at_once_are_two_slots(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=2) as ring, RingPool(tmp_path) as pool:
        with ring.slot(SHAPE) as one, ring.slot(SHAPE) as two, ring.slot(SHAPE) as three:
            assert three is None
            one.array[:], two.array[:] = PIXELS.frame(1), PIXELS.frame(2)
            references = [one.commit(), two.commit()]
        for n, reference in enumerate(references, start=1):
            with pool.lease(reference) as frame:
                assert np.array_equal(frame, PIXELS.frame(n))


def test_committing_twice_is_a_programming_error(tmp_path: Path) -> None:
    with open_ring(tmp_path) as ring, ring.slot(SHAPE) as view:
        view.commit()
        with pytest.raises(RuntimeError, match="once"):
            view.commit()


@pytest.mark.parametrize(("shape", "dtype"), [((25, 32, 3), "uint8"), (SHAPE, "float32"), ((0, 3), "uint8")])
def test_an_array_that_does_not_fit_a_slot_is_refused_with_both_sizes(tmp_path: Path, shape: Any, dtype: str) -> None:
    with open_ring(tmp_path) as ring, pytest.raises(FrameTooLargeError, match="there is room for 2304"):
        ring.slot(shape, dtype)


def test_a_second_writer_is_refused_with_the_process_that_writes(tmp_path: Path) -> None:
    with open_ring(tmp_path), pytest.raises(RingBusyError) as caught:
        open_ring(tmp_path)
    assert str(caught.value) == (
        f"ring 'camera-dock' in {tmp_path} is written by process {os.getpid()}; "
        "stop that process or give this run its own frame folder (VIGIE_FRAMES)"
    )
    open_ring(tmp_path).close()


def test_reopening_goes_on_in_the_same_file_and_frames_survive(tmp_path: Path) -> None:
    with RingPool(tmp_path) as pool:
        with open_ring(tmp_path) as ring:
            before = ring.write(PIXELS.frame(1))
        inode = (tmp_path / f"{before.ring}.ring").stat().st_ino
        with open_ring(tmp_path) as ring:
            assert (tmp_path / f"{ring.ring}.ring").stat().st_ino == inode
            after = ring.write(PIXELS.frame(2))
            assert after.sequence > before.sequence
            for n, reference in ((1, before), (2, after)):
                with pool.lease(reference) as frame:
                    assert np.array_equal(frame, PIXELS.frame(n))


def test_a_slot_that_was_being_written_at_a_crash_is_invalid_and_its_sequence_is_not_used_again(tmp_path: Path) -> None:
    ring = open_ring(tmp_path, slots=2)
    lease = ring.slot(SHAPE)
    view = lease.__enter__()
    view.array[:] = 1
    mapping, slot, odd = lease._begun
    assert mapping.sequence(slot) == odd
    ring.close()  # as the kernel closes the files of a killed process
    with open_ring(tmp_path, slots=2) as ring, RingPool(tmp_path) as pool:
        forged = RingReference(ring.ring, slot, odd, SHAPE)
        with pytest.raises(FrameGoneError), pool.lease(forged):
            pass
        assert ring.write(PIXELS.frame(1)).sequence > odd + 1


def test_a_new_geometry_is_a_new_file_and_the_former_is_removed(tmp_path: Path) -> None:
    with open_ring(tmp_path, slots=3) as ring:
        former = ring.write(PIXELS.frame(1))
    with RingPool(tmp_path) as pool, pool.lease(former) as frame:
        with open_ring(tmp_path, slots=5) as ring:
            assert ring.ring != former.ring
            assert ring_files(tmp_path) == [f"{ring.ring}.ring"]
        assert np.array_equal(frame, PIXELS.frame(1)), "who still reads the former file keeps its memory"


def test_leftovers_of_dead_runs_are_removed_at_open(tmp_path: Path) -> None:
    (tmp_path / ".camera-dock.0000000a.ring.new").write_bytes(b"killed while creating")
    (tmp_path / "camera-dock.0000000b.ring").write_bytes(b"no ring at all")
    (tmp_path / "camera-dock.north.0000000c.ring").write_bytes(b"of another ring")
    with open_ring(tmp_path) as ring:
        assert ring_files(tmp_path) == sorted([f"{ring.ring}.ring", "camera-dock.north.0000000c.ring"])


def test_a_ring_held_as_a_whole_for_too_long_is_left_to_its_readers(tmp_path: Path) -> None:
    clock = Clock()
    with open_ring(tmp_path, slots=2, stall_s=5, clock=clock) as ring, RingPool(tmp_path) as hung:
        references = [ring.write(PIXELS.frame(n)) for n in range(2)]
        with hung.lease(references[0]) as kept, hung.lease(references[1]):
            assert ring.write(PIXELS.frame(2)) is None
            clock.now += 4.9
            assert ring.write(PIXELS.frame(2)) is None
            clock.now += 0.2
            moved = ring.write(PIXELS.frame(3))
            assert moved is not None
            assert (moved.ring == references[0].ring, ring.moves) == (False, 1)
            assert ring_files(tmp_path) == [f"{moved.ring}.ring"]
            assert np.array_equal(kept, PIXELS.frame(0))
            with RingPool(tmp_path) as pool, pool.lease(moved) as frame:
                assert np.array_equal(frame, PIXELS.frame(3))


def test_a_ring_that_is_now_and_then_full_does_not_move(tmp_path: Path) -> None:
    clock = Clock()
    with open_ring(tmp_path, slots=1, stall_s=5, clock=clock) as ring, RingPool(tmp_path) as pool:
        reference = ring.write(PIXELS.frame(0))
        for n in range(4):
            with pool.lease(reference):
                assert ring.write(PIXELS.frame(n)) is None
                clock.now += 3
            reference = ring.write(PIXELS.frame(n))
        assert ring.moves == 0


def test_a_ring_whose_file_was_removed_under_the_writer_comes_back_under_a_new_name(tmp_path: Path) -> None:
    clock = Clock()
    with open_ring(tmp_path, clock=clock) as ring, RingPool(tmp_path) as pool:
        (tmp_path / f"{ring.ring}.ring").unlink()
        clock.now += 1
        reference = ring.write(PIXELS.frame(1))
        with pool.lease(reference) as frame:
            assert np.array_equal(frame, PIXELS.frame(1))


def test_names_that_would_leave_the_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RingRefusedError):
        RingWriter.open(tmp_path, "../camera", slot_bytes=64, slots=2)


def test_dead_rings_of_a_module_are_removed_and_living_ones_kept(tmp_path: Path) -> None:
    for name in ("camera-gone", "camera-kept", "tensors-1"):
        RingWriter.open(tmp_path, name, slot_bytes=64, slots=2).close()
    with RingWriter.open(tmp_path, "camera-live", slot_bytes=64, slots=2):
        assert remove_dead_rings(tmp_path, "camera-", keep={"camera-kept"}) == ["camera-gone"]
        left = {name.split(".")[0] for name in ring_files(tmp_path)}
    assert left == {"camera-kept", "camera-live", "tensors-1"}
