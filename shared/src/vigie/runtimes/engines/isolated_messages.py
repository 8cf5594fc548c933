"""What the two ends of an isolated engine say to each other; pixels and outputs are in shared memory beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from vigie.runtimes.candidate import Candidate
from vigie.runtimes.proof import Proof

# SOCK_SEQPACKET: a message is a packet. A proof of a large graph is some hundred bytes.
MESSAGE_BYTES_MAX = 64 << 10
# Vector loads of any CPU; NumPy asks for less.
ALIGN_BYTES = 64


class Start(msgspec.Struct, frozen=True):
    """The child's one argument. The numbers are inherited file descriptors."""

    talk: int
    lifeline: int
    inputs: int
    outputs: int
    folder: str
    digest: str
    candidate: Candidate
    spin: bool = False
    strict: bool = False
    cache: str | None = None
    nice: int = 0


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The engine is loaded."""

    provider: str
    threads: int
    input_shape: tuple[int, int, int, int]


class OutputPlace(msgspec.Struct, frozen=True):
    """Where one output lies in the shared memory."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class Ran(msgspec.Struct, frozen=True, tag="ran"):
    """One run is done; ``size`` is that of the shared memory of outputs, which may have grown."""

    outputs: tuple[OutputPlace, ...]
    size: int


class Proved(msgspec.Struct, frozen=True, tag="proved"):
    proof: Proof
    placement: dict[str, int]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """``slug`` of the error in the child and its reason."""

    slug: str
    reason: str


Answer = Opened | Ran | Proved | Failed

RUN, PROVE = b"run", b"prove"

encode = msgspec.json.Encoder().encode
decode_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def layout(arrays: list[Any]) -> tuple[tuple[OutputPlace, ...], int]:
    """Where each array goes, and the bytes needed in all."""
    placed, offset = [], 0
    for array in arrays:
        placed.append(OutputPlace(array.dtype.str, tuple(array.shape), offset))
        offset += -(-int(array.nbytes) // ALIGN_BYTES) * ALIGN_BYTES
    return tuple(placed), offset
