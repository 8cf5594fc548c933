from __future__ import annotations

from typing import Any

import pytest

from vigie.errors import RingRefusedError
from vigie.frames.layout import (
    RingGeometry,
    RingHeader,
    check_ring_name,
    pack_header,
    parse_header,
    ring_file_id,
    split_file_id,
)

GEOMETRY = RingGeometry(slots=5, slot_bytes=1000)


def test_a_header_reads_back_as_it_was_written() -> None:
    header = RingHeader(GEOMETRY, epoch=0xDEADBEEF)
    assert parse_header(pack_header(header), GEOMETRY.total_bytes) == header


def test_slots_do_not_overlap_and_end_inside_the_file() -> None:
    ends = [GEOMETRY.data_offset]
    for slot in range(GEOMETRY.slots):
        assert GEOMETRY.slot_offset(slot) >= ends[-1]
        assert GEOMETRY.record_offset(slot) % 8 == 0
        assert GEOMETRY.record_offset(slot) + 8 <= GEOMETRY.data_offset
        ends.append(GEOMETRY.slot_offset(slot) + GEOMETRY.slot_bytes)
    assert ends[-1] <= GEOMETRY.total_bytes


@pytest.mark.parametrize(
    ("version", "reads", "refusal"),
    [
        (1, 1, None),
        (1, 2, None),
        (2, 2, None),
        (2, 1, "has version 2, newer than 1, which this module reads; update this module"),
        (1, 3, "has version 1, older than 2, which this module reads; update the writer's module"),
        (0, 1, "has version 0, older than 1"),
    ],
)
def test_version_n_reads_n_minus_1_and_refuses_others_with_what_to_update(
    version: int, reads: int, refusal: str | None
) -> None:
    raw = pack_header(RingHeader(GEOMETRY, 1, version))
    if refusal is None:
        assert parse_header(raw, GEOMETRY.total_bytes, reads=reads).version == version
    else:
        with pytest.raises(RingRefusedError) as caught:
            parse_header(raw, GEOMETRY.total_bytes, reads=reads)
        assert caught.value.reason.startswith(refusal)


def test_a_former_version_with_a_smaller_header_is_found_by_its_own_offsets() -> None:
    former = RingGeometry(slots=3, slot_bytes=64, header_bytes=64, record_bytes=16)
    raw = pack_header(RingHeader(former, 7, 1))
    assert parse_header(raw, former.total_bytes, reads=2).geometry.record_offset(2) == 64 + 32


@pytest.mark.parametrize(
    "raw",
    [b"", b"VIGIERNG", b"\0" * 64, pack_header(RingHeader(RingGeometry(0, 64), 1))],
    ids=["empty", "cut", "zeros", "no slots"],
)
def test_damaged_headers_are_refused(raw: Any) -> None:
    with pytest.raises(RingRefusedError):
        parse_header(raw, 1 << 30)


def test_a_file_shorter_than_its_header_says_is_refused_before_it_kills_with_sigbus() -> None:
    with pytest.raises(RingRefusedError, match="its header says"):
        parse_header(pack_header(RingHeader(GEOMETRY, 1)), GEOMETRY.total_bytes - 1)


@pytest.mark.parametrize("name", ["", "../secret", "a/b", ".hidden", "x" * 121, "a b", "ü"])
def test_names_that_are_no_plain_file_names_are_refused(name: str) -> None:
    with pytest.raises(RingRefusedError):
        check_ring_name(name)


def test_a_file_id_is_name_and_epoch_even_when_the_name_has_dots() -> None:
    assert split_file_id(ring_file_id("camera.dock-1", 0x1F)) == ("camera.dock-1", 0x1F)
    assert split_file_id("../x.0000001f") is None
    assert split_file_id("camera") is None
