"""What the module and a decoder's process say to each other: small structs; pixels never travel here.

A slot handed out is the permission to write one frame. So a decoder that holds none waits (a file whose frames are all
to be kept) or counts a frame as missed (a live source), and one that is killed leaves nothing half-written behind: only
the module commits a slot, after the decoder has said that it is filled.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie.contracts.pixels import PixelFormat
from vigie_camera.cause import Cause
from vigie_camera.config import ClipMemory, MotionGate, PrivacyMask
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.pace import Rhythm


class Task(msgspec.Struct, frozen=True, tag="task"):
    """The first thing a decoder is told. ``address`` holds this camera's secrets and no other's.

    ``interval_s``: between two pictures of a folder, or two questions for a snapshot. ``networks``: where a web
    camera's answers may lead, as ``SourcePolicy.words``.
    """

    camera: str
    kind: Literal["video", "web", "synthetic", "device"]
    address: str
    options: VideoOptions
    rhythm: Rhythm
    fps_cap: float | None = None
    loop: bool = False
    frames: int | None = None
    masks: tuple[PrivacyMask, ...] = ()
    interval_s: float = 1.0
    networks: tuple[str, ...] = ()
    motion: MotionGate | None = None
    clips: ClipMemory | None = None
    tamper: bool = False


class SlotLayout(msgspec.Struct, frozen=True, tag="memory"):
    """Where slots lie in the file that comes with this message; slots of an earlier ``generation`` are void."""

    generation: int
    offset: int
    length: int
    stride: int


class FreeSlot(msgspec.Struct, frozen=True, tag="slot"):
    """The decoder may fill this slot."""

    generation: int
    slot: int


class ClipOrder(msgspec.Struct, frozen=True, tag="clip"):
    """Write the last ``before_s`` seconds and the next ``after_s`` into the ``length`` bytes of memory that come along,
    and say ``Clipped``.
    """

    number: int
    before_s: float
    after_s: float
    length: int


class Started(msgspec.Struct, frozen=True, tag="started"):
    """From the nursery, with a pidfd: the process runs."""

    pid: int


class SourceOpened(msgspec.Struct, frozen=True, tag="opened"):
    """The source is open. ``decoder``: back end and codec. ``masks``: how many are burnt into every frame.

    ``sandbox``: those of ``sandbox.MEASURES`` that hold the process.
    """

    period_s: float
    decoder: str
    masks: int = 0
    sandbox: tuple[str, ...] = ()


class Formatted(msgspec.Struct, frozen=True, tag="formatted"):
    """Frames are of this format from now on: answered with ``SlotLayout``, then slots."""

    format: PixelFormat


class Filled(msgspec.Struct, frozen=True, tag="filled"):
    """A slot holds a whole frame. ``captured_ns``: CLOCK_MONOTONIC; ``wall_s``: seconds since 1970.

    ``still_s``, ``dark_s``, ``strange_s``: for how long the picture has not changed, was black, or the lens covered
    or out of focus. ``damaged``: frames and packets found damaged since opening.
    """

    generation: int
    slot: int
    captured_ns: int
    wall_s: float
    media_s: float | None
    still_s: float
    dark_s: float
    damaged: int
    strange_s: float = 0.0


class Missed(msgspec.Struct, frozen=True, tag="missed"):
    """A frame found no slot."""

    captured_ns: int


class Gated(msgspec.Struct, frozen=True, tag="gated"):
    """A frame in which nothing moves: it stays here. The rest as in ``Filled``."""

    captured_ns: int
    still_s: float
    dark_s: float
    damaged: int
    strange_s: float = 0.0


class Clipped(msgspec.Struct, frozen=True, tag="clipped"):
    """The MP4 file ordered as ``number`` fills the first ``length`` bytes; or ``reason`` says why it is missing.

    ``seconds``: from its first packet to its last; ``before_s``: how much of it was before it was ordered.
    """

    number: int
    length: int = 0
    seconds: float = 0.0
    before_s: float = 0.0
    codec: str = ""
    size_hw: tuple[int, int] = (0, 0)
    reason: str | None = None


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Nothing to tell, but not hung: waiting for a slot, or for a frame's time."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The source has no more frames. ``refused`` packets gave none, ``corrupt`` frames were concealed."""

    frames: int
    refused: int
    corrupt: int
    promised: int
    ended_early: bool


class SourceFailed(msgspec.Struct, frozen=True, tag="failed"):
    """The source did not open, or is lost."""

    cause: Cause
    reason: str


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """From the nursery, last of all: the process ended, with this wait status."""

    status: int


Order = Task | SlotLayout | FreeSlot | ClipOrder
News = Started | SourceOpened | Formatted | Filled | Gated | Missed | Clipped | Alive | Ended | SourceFailed | Exited
