"""Frames in planes through the ring: what was stamped is what is read, and nothing else is."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest

from vigie.contracts.pixels import Layout, Matrix, PixelFormat, Pixels, Range, RingReference, Siting
from vigie.errors import FrameGoneError, FrameTooLargeError, PixelFormatError
from vigie.frames import RingPool, RingWriter
from vigie.frames.inline import encode_inline
from vigie.frames.layout import HEADER_BYTES, parse_header
from vigie.frames.picture import lease_frame
from vigie.frames.stamp import SIDE_MAX, pack_format
from vigie.vision.planes import copy_planes, frame_bytes, planes_of

HD = PixelFormat("i420", (24, 32), "bt709", "limited")
FULL = msgspec.structs.replace(HD, range="full")


def noise(pixel_format: PixelFormat, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, frame_bytes(pixel_format), np.uint8)


def write(ring: RingWriter, pixel_format: PixelFormat, packed: np.ndarray) -> RingReference:
    with ring.frame_slot(pixel_format) as view:
        assert view is not None
        copy_planes(planes_of(packed, pixel_format).arrays, planes_of(view.array, pixel_format))
        return view.commit()


@pytest.mark.parametrize("layout", get_args(Layout))
def test_planes_come_back_as_they_were_written_and_read_only(tmp_path: Path, layout: Any) -> None:
    pixel_format = msgspec.structs.replace(HD, layout=layout, size_hw=(25, 33))
    packed = noise(pixel_format)
    with RingWriter.open(tmp_path, "dock", slot_bytes=5_000, slots=3, formats=True) as ring, RingPool(tmp_path) as pool:
        reference = write(ring, pixel_format, packed)
        # The reference as it travels.
        wire = msgspec.json.decode(msgspec.json.encode(reference), type=Pixels)
        with lease_frame(pool, wire) as frame:
            assert frame.format == pixel_format
            assert np.array_equal(np.concatenate([plane.ravel() for plane in frame.arrays]), packed)
            assert not any(plane.flags.writeable for plane in frame.arrays)


def test_every_format_has_its_own_number() -> None:
    every = [
        PixelFormat(*one)
        for one in product(
            get_args(Layout), [(24, 32), (32, 24), (SIDE_MAX, 1)], get_args(Matrix), get_args(Range), get_args(Siting)
        )
    ]
    stamps = {pack_format(one) for one in every}
    assert len(stamps) == len(every)
    assert min(stamps) > 0
    assert max(stamps) < 1 << 64
    with pytest.raises(PixelFormatError):
        pack_format(PixelFormat("gray", (SIDE_MAX + 1, 2)))


@pytest.mark.parametrize(
    "claimed", [FULL, None, PixelFormat("i420", (32, 24), "bt709"), PixelFormat("i420", (-24, 32), "bt709")]
)
def test_a_reference_that_claims_another_format_than_was_stamped_is_refused(tmp_path: Path, claimed: Any) -> None:
    with RingWriter.open(tmp_path, "dock", slot_bytes=5_000, slots=3, formats=True) as ring, RingPool(tmp_path) as pool:
        reference = msgspec.structs.replace(write(ring, HD, noise(HD)), format=claimed)
        with pytest.raises(FrameGoneError) as caught, lease_frame(pool, reference):
            pass
        assert caught.value.reason == "bad_reference"
        # The refused lease is over: the slot can be written.
        for _ in range(4):
            write(ring, HD, noise(HD))


def test_a_slot_that_changes_its_format_is_read_as_its_newest(tmp_path: Path) -> None:
    with RingWriter.open(tmp_path, "dock", slot_bytes=5_000, slots=1, formats=True) as ring, RingPool(tmp_path) as pool:
        former = write(ring, HD, noise(HD))
        newest = write(ring, FULL, noise(FULL, 2))
        with lease_frame(pool, newest) as frame:
            assert frame.format == FULL
        with pytest.raises(FrameGoneError), lease_frame(pool, former):
            pass


def test_bgr_frames_go_into_rings_that_a_module_of_the_version_before_reads(tmp_path: Path) -> None:
    bgr = PixelFormat("bgr", (4, 6))
    with RingWriter.open(tmp_path, "dock", slot_bytes=72, slots=2) as ring, RingPool(tmp_path) as pool:
        with ring.frame_slot(bgr) as view:
            assert view is not None
            view.array[...] = 9
            reference = view.commit()
        raw = next(tmp_path.glob("*.ring")).read_bytes()
        assert parse_header(raw[:HEADER_BYTES], len(raw), reads=1).version == 1
        assert b"format" not in msgspec.json.encode(reference).replace(b'"format":null', b"")
        with lease_frame(pool, reference) as frame:
            assert frame.format == bgr
            assert np.all(frame.arrays[0] == 9)
        with pytest.raises(PixelFormatError, match="ring 'dock': holds BGR frames only, not i420"):
            ring.frame_slot(HD)
        # A reference that claims planes of such a ring is a forgery or a mistake.
        with pytest.raises(FrameGoneError), lease_frame(pool, msgspec.structs.replace(reference, format=HD)):
            pass


def test_another_kind_of_ring_under_the_same_name_is_a_new_file(tmp_path: Path) -> None:
    with RingWriter.open(tmp_path, "dock", slot_bytes=72, slots=2) as ring:
        plain = ring.ring
    with RingWriter.open(tmp_path, "dock", slot_bytes=72, slots=2, formats=True) as ring:
        assert ring.ring != plain
        assert len(list(tmp_path.glob("*.ring"))) == 1
        with pytest.raises(FrameTooLargeError):
            ring.frame_slot(HD)


def test_an_inline_frame_is_leased_the_same_way(tmp_path: Path) -> None:
    picture = np.full((48, 64, 3), 90, np.uint8)
    with RingPool(tmp_path) as pool, lease_frame(pool, encode_inline(picture)) as frame:
        assert frame.format == PixelFormat("bgr", (48, 64))
        assert np.all(frame.arrays[0] == 90)
