"""Which frames are worth a person's look and a place in the next training. Pure."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.detections import DetectionsItem
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
    """Used from one thread. A restart forgets the count of the day: at most ``per_day`` more."""

    def __init__(self) -> None:
        self._settings = Sampling()
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
        if settings.cameras is not None and item.camera not in settings.cameras:
            return None
        camera = self._cameras.setdefault(item.camera, _Camera())
        if now_s - camera.last_s < settings.every_seconds:
            return None
        day = item.captured_at[:10]
        if day > camera.day:  # a clock that is set back begins no new day
            camera.day, camera.count = day, 0
        if camera.count >= settings.per_day:
            return None
        reasons = self._reasons(item)
        if not reasons:
            return None
        camera.count += 1
        camera.last_s = now_s
        name = f"{item.camera}-sample-{zlib.crc32(item.trace.encode()):08x}-{item.seq}"
        asked = picture_of(item, name, {"plain"}, None)
        return msgspec.structs.replace(asked, sample=OfSample(model=item.model, reasons=reasons))

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
