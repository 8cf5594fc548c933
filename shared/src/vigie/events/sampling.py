"""Which frames are worth a person's look and a place in the next training. Pure."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.disagreement import Disagreement
from vigie.contracts.events import ModelDrift
from vigie.contracts.keep import KeepPicture, OfSample
from vigie.contracts.samples import Reason
from vigie.events.evidence import picture_of
from vigie.events.settings import Name

_Score = Annotated[float, Meta(ge=0, le=1)]


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Samples for retraining: whole frames, without boxes, with what the model saw beside them. None by default."""

    low_confidence: (
        Annotated[
            tuple[_Score, _Score],
            Meta(description="Frames with a detection whose score is between these two, as [0.25, 0.5]."),
        ]
        | None
    ) = None
    random_share: Annotated[
        float, Meta(ge=0, le=1, description="This share of all frames, whatever is in them, as 0.0001.")
    ] = 0.0
    drift: Annotated[
        bool, Meta(description="Frames of a camera while it is told that its scores or classes drift (model-drift).")
    ] = False
    disagreement: Annotated[
        bool, Meta(description="Frames in which a model on trial sees other things than the one that serves.")
    ] = False
    per_day: Annotated[int, Meta(ge=1, le=100_000, description="Per camera and UTC day of capture.")] = 100
    every_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="Between two samples of a camera: neighbours show the same.")
    ] = 60.0
    cameras: Annotated[list[Name], Meta(min_length=1, description="Cameras; absent: all.")] | None = None

    def __post_init__(self) -> None:
        """Refuse a range that nothing is in."""
        if self.low_confidence is not None and self.low_confidence[0] >= self.low_confidence[1]:
            raise ValueError("low_confidence: expected the lower score first, as [0.25, 0.5]")


@dataclass(slots=True)
class _Camera:
    day: str = ""
    count: int = 0
    last_s: float = float("-inf")


class Sampler:
    """From any thread. A restart forgets the count of the day: at most ``per_day`` more."""

    def __init__(self) -> None:
        self._settings = Sampling()
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        # By camera, what drifts: replaced as a whole, from the thread that hears of it.
        self._drifting: dict[str, frozenset[str]] = {}

    def hear(self, event: ModelDrift) -> None:
        """From any thread. A restart forgets what drifts until it is told again."""
        before = self._drifting.get(event.camera, frozenset())
        self._drifting[event.camera] = before - {event.what} if event.phase == "end" else before | {event.what}

    def configure(self, settings: Sampling) -> None:
        self._settings = settings

    def choose(self, item: DetectionsItem, now_s: float) -> KeepPicture | None:
        """Args: now_s: of any clock that only goes forward."""
        settings = self._settings
        if settings.low_confidence is None and not settings.random_share and not settings.drift:
            return None
        with self._lock:
            camera = self._due(item.camera, item.captured_at, now_s)
            reasons = () if camera is None else self._reasons(item)
            if camera is None or not reasons:
                return None
            _count(camera, now_s)
        asked = picture_of(item, _name(item.camera, item.trace, item.seq), {"plain"}, None)
        return msgspec.structs.replace(asked, sample=OfSample(model=item.model, reasons=reasons))

    def disagree(self, told: Disagreement, now_s: float) -> KeepPicture | None:
        """As ``choose``, of a frame in which two models saw different things; the day's number is the same one."""
        if not self._settings.disagreement:
            return None
        with self._lock:
            camera = self._due(told.camera, told.at, now_s)
            if camera is None:
                return None
            _count(camera, now_s)
        return KeepPicture(
            name=_name(told.camera, told.trace, told.seq), camera=told.camera, seq=told.seq, trace=told.trace,
            at=told.at, boxes=told.found, blur=told.blur, styles=("plain",),
            sample=OfSample(model=told.model, reasons=("disagreement",), other=told.other),
        )  # fmt: skip

    def _due(self, name: str, captured_at: str, now_s: float) -> _Camera | None:
        """The lock is held. None: not of this camera, not yet, or not today any more."""
        settings = self._settings
        if settings.cameras is not None and name not in settings.cameras:
            return None
        camera = self._cameras.setdefault(name, _Camera())
        if now_s - camera.last_s < settings.every_seconds:
            return None
        day = captured_at[:10]
        if day > camera.day:  # a clock that is set back begins no new day
            camera.day, camera.count = day, 0
        return camera if camera.count < settings.per_day else None

    def _reasons(self, item: DetectionsItem) -> tuple[Reason, ...]:
        found: list[Reason] = []
        if self._settings.low_confidence is not None:
            low, high = self._settings.low_confidence
            if any(low <= one.score < high for one in item.detections):
                found.append("low_confidence")
        # Of the trace and not of a dice: the same frame is always, or never, a sample.
        if zlib.crc32(f"sample {item.trace}".encode()) < self._settings.random_share * 2**32:
            found.append("random")
        if self._settings.drift and self._drifting.get(item.camera):
            found.append("drift")
        return tuple(found)


def _count(camera: _Camera, now_s: float) -> None:
    camera.count += 1
    camera.last_s = now_s


def _name(camera: str, trace: str, seq: int) -> str:
    return f"{camera}-sample-{zlib.crc32(trace.encode()):08x}-{seq}"
