"""The bytes of a ring file, as functions of values: versioned header, slot records, slot data.

    0                 header: magic, version, header and record size, geometry, epoch
    header_bytes      one record a slot: 8 bytes of sequence, of which the first is also the lock byte, then 8 bytes of
                      format (``frames.stamp``), written before the sequence becomes even
    data_offset       slot 0, slot 1, ... each ``stride_bytes`` long, page-aligned

A sequence is odd while (or since) a write is unfinished, even when the slot holds a committed array. Sequences come
from one counter of the whole ring, so a value never comes twice and the lowest one marks the oldest slot.
Version 1 has no format word: its slots hold one array each, BGR frames or tensors, and are still written for those, so
that a module of the version before can read them. Version 2 is for frames in planes, which that module cannot read.
The file name carries the epoch: another geometry is another file, and a reference to the former one finds nothing.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from vigie.errors import RingRefusedError

MAGIC = b"VIGIERNG"
VERSION = 2
PLAIN_VERSION = 1  # arrays without a format word
HEADER_BYTES = 4096
RECORD_BYTES = 64  # one cache line a slot, so that two slots' sequences are never written in the same line
PAGE_BYTES = 4096
WORD_BYTES = 8
MAX_SLOTS = 65_536

_HEADER = struct.Struct("<8sIIIIQQQ")  # magic, version, header_bytes, record_bytes, reserved, slots, slot_bytes, epoch
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_FILE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,119})\.(?P<epoch>[0-9a-f]{8})")
RING_SUFFIX = ".ring"


@dataclass(frozen=True, slots=True)
class RingGeometry:
    """How many slots of how many bytes, and where each of them lies in the file."""

    slots: int
    slot_bytes: int
    header_bytes: int = HEADER_BYTES
    record_bytes: int = RECORD_BYTES

    @property
    def stride_bytes(self) -> int:
        """Distance of two slots' data: ``slot_bytes`` rounded up to whole pages."""
        return _round_up(self.slot_bytes)

    @property
    def data_offset(self) -> int:
        """Where slot 0's data begins."""
        return _round_up(self.header_bytes + self.slots * self.record_bytes)

    @property
    def total_bytes(self) -> int:
        """Size of the file."""
        return self.data_offset + self.slots * self.stride_bytes

    def record_offset(self, slot: int) -> int:
        """Where the record of ``slot`` begins; this byte is also the one that is locked."""
        return self.header_bytes + slot * self.record_bytes

    def slot_offset(self, slot: int) -> int:
        """Where the array of ``slot`` begins."""
        return self.data_offset + slot * self.stride_bytes


@dataclass(frozen=True, slots=True)
class RingHeader:
    """What the first page of a ring file says; it never changes once the file has its name."""

    geometry: RingGeometry
    epoch: int
    version: int = PLAIN_VERSION


def pack_header(header: RingHeader) -> bytes:
    """The first bytes of a ring file."""
    shape = header.geometry
    return _HEADER.pack(
        MAGIC,
        header.version,
        shape.header_bytes,
        shape.record_bytes,
        0,
        shape.slots,
        shape.slot_bytes,
        header.epoch,
    )


def parse_header(raw: bytes, file_bytes: int, *, reads: int = VERSION) -> RingHeader:
    """Check a ring file's first bytes against what this version (``reads``) understands and against its size.

    Version N reads N-1 (the header says where its parts lie), because IoT Edge updates modules one at a time.
    A file shorter than its header says would end the reader with SIGBUS, so it is refused here.

    Raises: RingRefusedError: no ring, a version too new or too old, or damaged, with what to do.
    """
    if len(raw) < _HEADER.size or raw[: len(MAGIC)] != MAGIC:
        raise RingRefusedError("is not a ring file; remove it")
    _, version, header_bytes, record_bytes, _, slots, slot_bytes, epoch = _HEADER.unpack_from(raw)
    if version > reads:
        raise RingRefusedError(
            f"has version {version}, newer than {reads}, which this module reads; update this module"
        )
    oldest = max(1, reads - 1)
    if version < oldest:
        raise RingRefusedError(
            f"has version {version}, older than {oldest}, which this module reads; update the writer's module"
        )
    geometry = RingGeometry(slots, slot_bytes, header_bytes, record_bytes)
    aligned = header_bytes % WORD_BYTES == 0 and record_bytes % WORD_BYTES == 0
    if not (1 <= slots <= MAX_SLOTS and slot_bytes >= 1 and header_bytes >= _HEADER.size and record_bytes and aligned):
        raise RingRefusedError("has a damaged header; restart the module that writes it")
    if geometry.total_bytes > file_bytes:
        raise RingRefusedError(
            f"is {file_bytes} bytes, its header says {geometry.total_bytes}; restart the module that writes it"
        )
    return RingHeader(geometry, epoch, version)


def check_ring_name(name: str) -> str:
    """A ring's (or a reference's) name as a file name that cannot leave the frame folder.

    Raises: RingRefusedError: other than letters, digits, dot, dash and underscore, or longer than 120.
    """
    if _NAME.fullmatch(name) is None:
        raise RingRefusedError(f"name {name[:60]!r} must be 1..120 letters, digits, '.', '-' or '_'")
    return name


def ring_file_id(name: str, epoch: int) -> str:
    """What a reference calls a ring: its name and epoch; the file is this plus ``.ring``."""
    return f"{name}.{epoch:08x}"


def split_file_id(file_id: str) -> tuple[str, int] | None:
    """Name and epoch of ``ring_file_id``; None: not one."""
    match = _FILE.fullmatch(file_id)
    return (match["name"], int(match["epoch"], 16)) if match else None


def _round_up(size: int) -> int:
    return -(-size // PAGE_BYTES) * PAGE_BYTES
