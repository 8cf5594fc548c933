"""Crossings of a line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from vigie.contracts.events import Direction, LineEvent
from vigie.events.geometry import BAND, Point, offside_px, segments_cross
from vigie.events.moment import Moment, key_of
from vigie.events.objects import Thing
from vigie.events.schedule import counts
from vigie.events.settings import Line
from vigie.events.tally import Tally


@dataclass(slots=True)
class LineRule:
    """One line of one camera."""

    name: str
    line: Line
    # Per track: on which side it was clear of the line last, where and when.
    _clear: dict[str, tuple[bool, Point, Moment]] = field(default_factory=dict)

    def see(self, thing: Thing, now: Moment, tally: Tally) -> Iterator[LineEvent]:
        """``thing`` is in this frame."""
        line = self.line
        point = thing.anchors[line.anchor]
        off_px = offside_px(point, line.points, thing.frame_hw)
        if abs(off_px) <= BAND * (thing.box_xyxy[2] - thing.box_xyxy[0]):
            return
        right = off_px > 0
        before = self._clear.get(thing.track)
        self._clear[thing.track] = (right, point, now)
        if before is None or before[0] == right:
            return
        # Between the ends of the line: walking round one of them is no crossing.
        if not segments_cross(before[1], point, line.points[0], line.points[1]):
            return
        if (line.classes is not None and thing.label not in line.classes) or not counts(line.schedule, now.utc):
            return
        direction: Direction = "forward" if right else "backward"
        tally.crossed(self.name, thing.label, direction)
        what = f"{thing.track}/{self.name}/{now.trace}"
        yield LineEvent(
            key=key_of(what, "end", now), id=what, phase="end",
            severity="alert" if line.alert in {direction, "both"} else "event", camera=now.camera, trace=now.trace,
            at=now.at, started_at=before[2].at, seconds=round(now.at_s - before[2].at_s, 3), line=self.name,
            track=thing.track, label=thing.label, direction=direction, speed=thing.speed,
        )  # fmt: skip

    def lose(self, thing: Thing) -> None:
        """``thing`` is gone."""
        self._clear.pop(thing.track, None)
