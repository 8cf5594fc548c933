"""Pictures to go with events: of each track the one in which it was seen best, and the newest few of each camera.

They are pictures that were made for a page anyway: nobody looks, nothing is kept. Memory only, bounded.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime

from vigie.contracts.detections import Detection
from vigie.events.worth import worth_of
from vigie_viewer.picture import Picture

_RECENT_MAX = 12
_BEST_BYTES_MAX = 8 << 20
# A wall's pictures are for the wall: an event's is looked at in a corner of the page.
_JPEG_MAX = 300_000

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AlbumPicture:
    """A picture and, in pixels of its frame, where the thing is that it is shown for."""

    trace: str
    at_s: float
    frame_hw: tuple[int, int]
    box_xyxy: Box | None
    jpeg: bytes
    worth: float = 0.0


@dataclass(slots=True)
class Album:
    """Used on the event loop."""

    _best: OrderedDict[str, AlbumPicture] = field(default_factory=OrderedDict)
    _best_bytes: int = 0
    _recent: dict[str, deque[Picture]] = field(default_factory=dict)

    def see(self, picture: Picture) -> None:
        """A picture was made. The same frame in another size is not kept twice."""
        recent = self._recent.setdefault(picture.frame.camera, deque(maxlen=_RECENT_MAX))
        if len(picture.jpeg) > _JPEG_MAX or (recent and recent[-1].frame.trace == picture.frame.trace):
            return
        recent.append(picture)
        for found in () if picture.detections is None else picture.detections.detections:
            if found.track is not None:
                self._see(found.track, picture, found)
        while self._best_bytes > _BEST_BYTES_MAX:
            self._best_bytes -= len(self._best.popitem(last=False)[1].jpeg)

    def best(self, track: str) -> AlbumPicture | None:
        """The one in which ``track`` was seen best since somebody looks."""
        return self._best.get(track)

    def nearest(self, camera: str, at_s: float, within_s: float, track: str | None = None) -> AlbumPicture | None:
        """The picture that is closest to ``at_s``, with ``track`` in it if given."""
        nearest: tuple[float, Picture, Box | None] | None = None
        for picture in self._recent.get(camera, ()):
            box = None if track is None else _box_of(picture, track)
            away_s = abs(seconds_of(picture.frame.captured_at) - at_s)
            if (box is None) == (track is None) and away_s <= (within_s if nearest is None else nearest[0]):
                nearest = away_s, picture, box
        return None if nearest is None else _snapshot(nearest[1], nearest[2])

    def forget(self, track: str) -> None:
        gone = self._best.pop(track, None)
        self._best_bytes -= 0 if gone is None else len(gone.jpeg)

    def clear(self) -> None:
        """Nobody looks any longer."""
        self._best.clear()
        self._recent.clear()
        self._best_bytes = 0

    def _see(self, track: str, picture: Picture, found: Detection) -> None:
        worth = worth_of(found, picture.frame.frame_hw)
        kept = self._best.get(track)
        if kept is None or worth > kept.worth:
            self.forget(track)
            self._best[track] = _snapshot(picture, found.box_xyxy, worth)
            self._best_bytes += len(picture.jpeg)
        self._best.move_to_end(track)


def _snapshot(picture: Picture, box_xyxy: Box | None, worth: float = 0.0) -> AlbumPicture:
    frame = picture.frame
    return AlbumPicture(frame.trace, seconds_of(frame.captured_at), frame.frame_hw, box_xyxy, picture.jpeg, worth)


def _box_of(picture: Picture, track: str) -> Box | None:
    """Where ``track`` is in ``picture``."""
    detections = () if picture.detections is None else picture.detections.detections
    return next((found.box_xyxy for found in detections if found.track == track), None)


def seconds_of(at: str) -> float:
    """UTC text of a message as seconds since 1970; 0 for what is not a time."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
