"""Who is in a zone, since when, and for how long it has been empty. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from vigie.contracts.events import MissingEvent, Occurrence, Phase, PresenceEvent, Severity, Stay, ZoneEvent
from vigie.events.geometry import BAND, Point, bounds, clearance_px, inside
from vigie.events.moment import Moment, key_of
from vigie.events.objects import Thing
from vigie.events.schedule import counts
from vigie.events.settings import Zone
from vigie.events.tally import Tally


@dataclass(slots=True)
class _Visit:
    """``entered``: the first frame of being inside. ``counted``: it has lasted. ``out``: outside since then."""

    entered: Moment
    last_in: Moment
    counted: bool = False
    loitering: bool = False
    speeding: bool = False
    out: Moment | None = None

    @property
    def seconds(self) -> float:
        return round(self.last_in.at_s - self.entered.at_s, 3)


@dataclass(slots=True)
class ZoneRule:
    """One zone of one camera."""

    name: str
    zone: Zone
    _bounds: tuple[float, float, float, float] = field(init=False)
    _visits: dict[str, _Visit] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)
    # Of the time in which something is inside; None: nothing is.
    _present: tuple[str, Moment, Moment] | None = None
    # Since when fewer are inside than belong here, and what was told of it.
    _few_since: Moment | None = None
    _missing: tuple[str, Moment] | None = None

    def __post_init__(self) -> None:
        """Far from the zone nothing else is asked."""
        self._bounds = bounds(self.zone.points)

    def see(self, thing: Thing, now: Moment, tally: Tally) -> Iterator[Occurrence]:
        """``thing`` is in this frame."""
        zone, visit = self.zone, self._visits.get(thing.track)
        point = thing.anchors[zone.anchor]
        if visit is None:
            if not self._begins(thing, point, now):
                return
            visit = self._visits[thing.track] = _Visit(now, now)
        if inside(point, zone.points):
            visit.last_in, visit.out = now, None
            if not visit.counted and now.at_s - visit.entered.at_s >= zone.settle_seconds:
                yield from self._enter(thing, visit, now, tally)
            loiters = zone.loiter_seconds is not None and now.at_s - visit.entered.at_s >= zone.loiter_seconds
            if visit.counted and loiters and not visit.loitering:
                visit.loitering = True
                yield self._event(thing, visit, "update", now, "alert")
            if visit.counted and not visit.speeding and self._is_too_fast(thing):
                visit.speeding = True
                yield self._event(thing, visit, "update", now, "alert")
        elif not visit.counted:
            del self._visits[thing.track]
        elif clearance_px(point, zone.points, thing.frame_hw) > BAND * (thing.box_xyxy[2] - thing.box_xyxy[0]):
            visit.out = visit.out or now
            if now.at_s - visit.out.at_s >= zone.settle_seconds:
                yield from self.lose(thing, now, tally)

    def _begins(self, thing: Thing, point: Point, now: Moment) -> bool:
        """Whether ``thing``, which was not in the zone, is in it now. Most are far from it: that is asked first."""
        left, top, right, bottom = self._bounds
        zone = self.zone
        return (
            left <= point[0] <= right
            and top <= point[1] <= bottom
            and (zone.classes is None or thing.label in zone.classes)
            and inside(point, zone.points)
            and counts(zone.schedule, now.utc)
        )

    def lose(self, thing: Thing, now: Moment, tally: Tally) -> Iterator[Occurrence]:
        """``thing`` has left, or is gone."""
        visit = self._visits.pop(thing.track, None)
        if visit is None or not visit.counted:
            return
        label = self._labels.pop(thing.track)
        tally.left(self.name, label, visit.seconds)
        thing.stayed(Stay(self.name, visit.entered.at, visit.seconds, visit.last_in.at))
        event = self._event(thing, visit, "end", now, "alert" if visit.loitering or visit.speeding else "event")
        yield msgspec.structs.replace(event, label=label)

    def settle(self, now: Moment, tally: Tally, *, watched: bool = True) -> Iterator[Occurrence]:
        """After all objects of a frame: is the zone empty, does something lack? Not ``watched``: nobody looks on."""
        yield from self._lacks(now, watched=watched)
        tally.inside(self.name, Counter(self._labels.values()))
        if not self.zone.presence or self._present is None:
            return
        what, since, last = self._present
        if self._labels:
            self._present = (what, since, now)
        elif now.at_s - last.at_s >= self.zone.absent_seconds:
            self._present = None
            yield self._presence("end", what, since, last, "alert" if self.zone.alert == "absent" else "event")

    def _is_too_fast(self, thing: Thing) -> bool:
        return self.zone.speed_limit is not None and (thing.pace.speed or 0.0) > self.zone.speed_limit

    def _lacks(self, now: Moment, *, watched: bool) -> Iterator[MissingEvent]:
        """Fewer than belong here: also where nothing has been since the camera began."""
        expected = self.zone.expected
        if expected is None:
            return
        if not watched or len(self._labels) >= expected or not counts(self.zone.schedule, now.utc):
            self._few_since = None
            if self._missing is not None:
                what, since = self._missing
                self._missing = None
                yield self._missing_event("end", what, since, now)
            return
        since = self._few_since = self._few_since or now
        if self._missing is None and now.at_s - since.at_s >= self.zone.absent_seconds:
            what = f"{now.camera}/{self.name}/missing/{since.trace}"
            self._missing = (what, since)
            yield self._missing_event("new", what, since, now)

    def _missing_event(self, phase: Literal["new", "end"], what: str, since: Moment, now: Moment) -> MissingEvent:
        return MissingEvent(
            key=key_of(what, phase, now), id=what, phase=phase, severity="alert" if phase == "new" else "event",
            camera=now.camera, trace=now.trace, at=now.at, started_at=since.at,
            seconds=round(now.at_s - since.at_s, 3), zone=self.name, inside=len(self._labels),
            expected=self.zone.expected or 0,
        )  # fmt: skip

    def stay_of(self, thing: Thing) -> Stay | None:
        """The stay that goes on."""
        visit = self._visits.get(thing.track)
        if visit is None or not visit.counted:
            return None
        return Stay(self.name, visit.entered.at, visit.seconds)

    def _enter(self, thing: Thing, visit: _Visit, now: Moment, tally: Tally) -> Iterator[Occurrence]:
        visit.counted = True
        label = self._labels[thing.track] = thing.label
        tally.entered(self.name, label)
        yield self._event(thing, visit, "new", now, "alert" if self.zone.alert == "enter" else "event")
        if self.zone.presence and self._present is None:
            what = f"{now.camera}/{self.name}/{visit.entered.trace}"
            self._present = (what, visit.entered, now)
            yield self._presence("new", what, visit.entered, now, "event")

    def _presence(
        self, phase: Literal["new", "end"], what: str, since: Moment, now: Moment, severity: Severity
    ) -> PresenceEvent:
        return PresenceEvent(
            key=key_of(what, phase, now), id=what, phase=phase, severity=severity, camera=now.camera, trace=now.trace,
            at=now.at, started_at=since.at, seconds=round(now.at_s - since.at_s, 3), zone=self.name,
        )  # fmt: skip

    def _event(self, thing: Thing, visit: _Visit, phase: Phase, now: Moment, severity: Severity) -> ZoneEvent:
        # A stay is named by the frame that began it: the same after a restart, another one for the next stay.
        what = f"{thing.track}/{self.name}/{visit.entered.trace}"
        at = visit.last_in if phase == "end" else now
        return ZoneEvent(
            key=key_of(what, phase, at), id=what, phase=phase, severity=severity, camera=at.camera, trace=at.trace,
            at=at.at, started_at=visit.entered.at, seconds=visit.seconds, zone=self.name, track=thing.track,
            label=thing.label, inside=len(self._labels), loitering=visit.loitering, speeding=visit.speeding,
            speed=thing.speed,
        )  # fmt: skip
