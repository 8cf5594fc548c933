from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.pixels import RandomPixels
from vigie.contracts.pixels import RingReference
from vigie.errors import FrameGoneError
from vigie.frames import RingPool, RingWriter
from vigie.frames.layout import RingGeometry, RingHeader, pack_header

SHAPE = (24, 32, 3)
PIXELS = RandomPixels(SHAPE, seed=2)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[RingWriter]:
    with RingWriter.open(tmp_path, "camera-dock", slot_bytes=24 * 32 * 3, slots=3) as ring:
        yield ring


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RingPool]:
    with RingPool(tmp_path) as pool:
        yield pool


def reason(pool: RingPool, reference: Any) -> str:
    with pytest.raises(FrameGoneError) as caught, pool.lease(reference):
        pass
    return caught.value.reason


def test_the_view_is_the_slot_itself_and_cannot_be_written(ring: RingWriter, pool: RingPool) -> None:
    reference = ring.write(PIXELS.frame(1))
    with pool.lease(reference) as frame:
        assert not frame.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            frame[0, 0, 0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            frame.flags.writeable = True


def test_an_overwritten_frame_is_gone_and_its_slot_is_not_left_locked(ring: RingWriter, pool: RingPool) -> None:
    references = [ring.write(PIXELS.frame(n)) for n in range(4)]
    assert reason(pool, references[0]) == "overwritten"
    assert all(ring.write(PIXELS.frame(n)) for n in range(6))


def test_a_frame_being_overwritten_is_gone_without_waiting(ring: RingWriter, pool: RingPool) -> None:
    references = [ring.write(PIXELS.frame(n)) for n in range(3)]
    with ring.slot(SHAPE) as view:
        assert view is not None
        assert reason(pool, references[0]) == "overwritten"


def test_two_leases_of_one_frame_protect_it_until_the_last_ends(ring: RingWriter, pool: RingPool) -> None:
    references = [ring.write(PIXELS.frame(n)) for n in range(3)]
    first, second = pool.lease(references[0]), pool.lease(references[0])
    frame = first.__enter__()
    second.__enter__()
    second.__exit__(None, None, None)
    for n in range(3, 9):
        assert ring.write(PIXELS.frame(n)).slot != references[0].slot
    assert np.array_equal(frame, PIXELS.frame(0))
    first.__exit__(None, None, None)
    assert references[0].slot in {ring.write(PIXELS.frame(n)).slot for n in range(3)}


def test_a_stale_reference_fails_while_another_thread_leases_the_same_slot(ring: RingWriter, pool: RingPool) -> None:
    stale, *_ = [ring.write(PIXELS.frame(n)) for n in range(3)]
    fresh, *_ = [ring.write(PIXELS.frame(n)) for n in range(3)]
    assert fresh.slot == stale.slot
    with pool.lease(fresh) as frame:
        assert reason(pool, stale) == "overwritten"
        assert all(ring.write(PIXELS.frame(n)).slot != fresh.slot for n in range(4))
        assert np.array_equal(frame, PIXELS.frame(0))


def test_a_ring_that_is_not_there_is_gone(pool: RingPool) -> None:
    assert reason(pool, RingReference("camera-dock.00000001", 0, 2, SHAPE)) == "ring_gone"


@pytest.mark.parametrize(
    "change",
    [
        {"ring": "../../etc/passwd"},
        {"ring": "../x.00000001"},
        {"slot": 3},
        {"slot": -1},
        {"shape": (24, 32, 4)},
        {"shape": (24, 32, -3)},
        {"shape": ()},
        {"shape": (1 << 40, 1 << 40)},
        {"dtype": "object"},
        {"dtype": "float64"},
    ],
    ids=str,
)
def test_references_that_do_not_fit_are_refused_before_any_memory_is_touched(
    ring: RingWriter, pool: RingPool, change: dict[str, Any]
) -> None:
    reference = ring.write(PIXELS.frame(1))
    fields = {name: getattr(reference, name) for name in RingReference.__struct_fields__} | change
    assert reason(pool, RingReference(**fields)) == "bad_reference"


@pytest.mark.parametrize("sequence", [0, 1, 3])
def test_a_sequence_that_was_never_committed_is_never_leased(ring: RingWriter, pool: RingPool, sequence: int) -> None:
    ring.write(PIXELS.frame(1))
    for slot in range(3):
        assert reason(pool, RingReference(ring.ring, slot, sequence, SHAPE)) == "overwritten"


def test_a_never_written_slot_is_no_frame_even_for_sequence_zero(ring: RingWriter, pool: RingPool) -> None:
    assert reason(pool, RingReference(ring.ring, 2, 0, SHAPE)) == "overwritten"


def test_a_newer_ring_version_is_refused_with_what_to_update(tmp_path: Path, pool: RingPool) -> None:
    geometry = RingGeometry(2, 64)
    path = tmp_path / "camera-dock.00000007.ring"
    path.write_bytes(pack_header(RingHeader(geometry, 7, 9)).ljust(geometry.total_bytes, b"\0"))
    with (
        pytest.raises(FrameGoneError, match="update this module") as caught,
        pool.lease(RingReference("camera-dock.00000007", 0, 2, (8,))),
    ):
        pass
    assert caught.value.reason == "ring_refused"


def test_a_file_renamed_to_another_epoch_is_refused(tmp_path: Path, ring: RingWriter, pool: RingPool) -> None:
    reference = ring.write(PIXELS.frame(1))
    (tmp_path / f"{reference.ring}.ring").rename(tmp_path / "camera-dock.00000000.ring")
    assert reason(pool, RingReference("camera-dock.00000000", 0, reference.sequence, SHAPE)) == "ring_refused"


def test_rings_that_were_removed_are_let_go_when_idle(tmp_path: Path, pool: RingPool) -> None:
    with RingWriter.open(tmp_path, "camera-dock", slot_bytes=64, slots=2) as ring:
        reference = ring.write(np.zeros(64, np.uint8))
        with pool.lease(reference):
            (tmp_path / f"{reference.ring}.ring").unlink()
            pool.sweep()
            assert list(pool._rings) == [reference.ring], "kept while leased"
        pool.sweep()
        assert pool._rings == {}


def test_leases_from_many_threads_leave_no_lock_behind(ring: RingWriter, pool: RingPool) -> None:
    reference = ring.write(PIXELS.frame(1))
    wrong: list[int] = []

    def read() -> None:
        for n in range(300):
            with pool.lease(reference) as frame:
                if not np.array_equal(frame, PIXELS.frame(1)):
                    wrong.append(n)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert pool._leases == {}
    assert {ring.write(PIXELS.frame(n)).slot for n in range(3)} == {0, 1, 2}
