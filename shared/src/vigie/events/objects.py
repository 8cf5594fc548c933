"""One tracked object over its life: which class it is, where it went, when it was seen best."""

from __future__ import annotations

from dataclasses import dataclass, field

from vigie.contracts.detections import Detection
from vigie.contracts.events import Best, ObjectEvent, Phase, Stay
from vigie.events.geometry import Point, anchors_of
from vigie.events.ground import GroundSpeed, Homography, on_ground
from vigie.events.moment import Moment, key_of
from vigie.events.worth import worth_of

# A path has at most this many points, at least this share of the picture apart; when full, every second one goes.
_PATH_MAX = 8
_STEP = 0.05
_STAYS_MAX = 32


@dataclass(slots=True)
class Thing:
    """An object that is, or was, in view."""

    track: str
    first: Moment
    seen: Moment
    box_xyxy: tuple[float, float, float, float]
    frame_hw: tuple[int, int]
    votes: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    best: Best | None = None
    worth: float = -1.0
    path: list[Point] = field(default_factory=list)
    step: float = _STEP
    stays: list[Stay] = field(default_factory=list)
    label: str = ""
    # Points of its box now, by the name of the anchor.
    anchors: dict[str, Point] = field(default_factory=dict)
    pace: GroundSpeed = field(default_factory=GroundSpeed)
    top_speed: float | None = None
    told: str | None = None
    told_s: float = 0.0

    def see(self, found: Detection, frame_hw: tuple[int, int], now: Moment, ground: Homography | None = None) -> None:
        """It was detected in this frame. ``ground``: of a camera that is calibrated."""
        self.seen, self.box_xyxy, self.frame_hw = now, found.box_xyxy, frame_hw
        votes = self.votes[found.label] = self.votes.get(found.label, 0.0) + found.score
        # The class of most of its sights, weighted by their scores; the first of equals.
        if votes > self.votes.get(self.label, 0.0):
            self.label = found.label
        self.scores[found.label] = max(self.scores.get(found.label, 0.0), found.score)
        worth = worth_of(found, frame_hw)
        if worth > self.worth:
            self.worth = worth
            self.best = Best(now.trace, now.at, found.score, found.box_xyxy)
        self.anchors = anchors_of(found.box_xyxy, frame_hw)
        x, y = self.anchors["bottom"]
        if ground is not None:
            self.pace.see(on_ground(ground, (x, y)), now.at_s)
            if self.pace.speed is not None:
                self.top_speed = max(self.top_speed or 0.0, self.pace.speed)
        if not self.path or abs(x - self.path[-1][0]) + abs(y - self.path[-1][1]) >= self.step:
            self.path.append((round(x, 3), round(y, 3)))
            if len(self.path) > _PATH_MAX:
                self.path[1:-1] = self.path[2:-1:2]
                self.step *= 2

    @property
    def speed(self) -> float | None:
        """Metres per second now, to the centimetre; None: not calibrated, or not known yet."""
        return None if self.pace.speed is None else round(self.pace.speed, 2)

    @property
    def seconds(self) -> float:
        return self.seen.at_s - self.first.at_s

    def stayed(self, stay: Stay) -> None:
        """It left a zone; of very many stays the oldest are forgotten."""
        self.stays = [*self.stays[-_STAYS_MAX + 1 :], stay]

    def event(self, phase: Phase, now: Moment, going_on: tuple[Stay, ...] = ()) -> ObjectEvent:
        """``going_on``: zones that it is in."""
        self.told, self.told_s = self.label, now.at_s
        at = self.seen if phase == "end" else now
        return ObjectEvent(
            key=key_of(self.track, phase, at),
            id=self.track,
            phase=phase,
            camera=at.camera,
            trace=at.trace,
            at=at.at,
            started_at=self.first.at,
            seconds=round(self.seconds, 3),
            label=self.label,
            score=round(self.scores[self.label], 4),
            frame_hw=self.frame_hw,
            box_xyxy=None if phase == "end" else self.box_xyxy,
            best=None if phase == "new" else self.best,
            path=() if phase == "new" else tuple(self.path),
            stays=(*self.stays, *going_on),
            top_speed=None if phase == "new" or self.top_speed is None else round(self.top_speed, 2),
        )
