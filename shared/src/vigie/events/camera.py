"""All rules of one camera: frames in, events out. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.contracts.detections import Detection, DetectionsItem
from vigie.contracts.events import EventItem, Occurrence, Stay
from vigie.events.ground import Homography, homography
from vigie.events.lines import LineRule
from vigie.events.moment import Moment
from vigie.events.objects import Thing
from vigie.events.settings import CameraRules, EventSettings
from vigie.events.tally import Tally
from vigie.events.zones import ZoneRule


class CameraEvents:
    """Frames of one camera, in their order."""

    def __init__(self, settings: EventSettings, rules: CameraRules) -> None:
        """Nothing seen yet."""
        self._settings = settings
        self._things: dict[str, Thing] = {}
        self._zones: dict[str, ZoneRule] = {}
        self._lines: dict[str, LineRule] = {}
        self._tally: Tally | None = None
        self._ground: Homography | None = None
        self._last: Moment | None = None
        self._apply(rules)

    def configure(self, settings: EventSettings, rules: CameraRules) -> list[EventItem]:
        """From the next frame on. A rule that stays as it is keeps who is where; of one that is gone, stays end."""
        self._settings = settings
        ended: list[Occurrence] = []
        if self._last is not None and self._tally is not None:
            for name, rule in list(self._zones.items()):
                if rules.zones.get(name) != rule.zone:
                    for thing in self._things.values():
                        ended += rule.lose(thing, self._last, self._tally)
                    ended += rule.settle(self._last, self._tally, watched=False)
        self._apply(rules)
        return ended  # type: ignore[return-value]  # every Occurrence that rules make is of the union

    def observe(self, item: DetectionsItem) -> list[EventItem] | None:
        """One frame; None: it is not later than the one before, so it was handed over twice and brings about nothing.

        Raises: ValueError: its time is not a time.
        """
        now = Moment.of(item)
        if self._last is not None and now.at_s <= self._last.at_s:
            return None
        return list(self._observe(item, now))  # type: ignore[arg-type]  # as above

    def close(self) -> list[EventItem]:
        """The end: what is in view is gone with the last frame, the interval is over."""
        if self._last is None or self._tally is None:
            return []
        ended: list[Occurrence] = []
        for thing in list(self._things.values()):
            ended += self._lose(thing, self._last, self._tally)
        for rule in self._zones.values():
            ended += rule.settle(self._last, self._tally, watched=False)
        if self._tally.frames:
            ended.append(self._tally.aggregate())
        self._tally = None
        return ended  # type: ignore[return-value]  # as above

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost by forgetting this camera."""
        return self._tally is None and not self._things

    def _observe(self, item: DetectionsItem, now: Moment) -> Iterator[Occurrence]:
        tally = self._tally
        begins = tally is None
        if tally is not None and tally.frames and self._interval(tally.first) != self._interval(now):
            yield tally.aggregate()
            tally = None
        if tally is None or not tally.frames:
            tally = self._tally = Tally(now, now)
        tally.frames, tally.last, self._last = tally.frames + 1, now, now
        wanted = self._settings.classes
        for found in item.detections:
            if wanted is None or found.label in wanted or found.track in self._things:
                tally.detections += 1
                if found.track is not None:
                    yield from self._see(found.track, found, item.frame_hw, now)
        for thing in [one for one in self._things.values() if now.at_s - one.seen.at_s > self._settings.gone_seconds]:
            yield from self._lose(thing, now, tally)
        for zone in self._zones.values():
            yield from zone.settle(now, tally)
        if begins:
            # An interval of its own: that a camera is watched is told at once, and not a minute later.
            yield tally.aggregate()
            self._tally = Tally(now, now)

    def _see(self, track: str, found: Detection, frame_hw: tuple[int, int], now: Moment) -> Iterator[Occurrence]:
        thing, tally = self._things.get(track), self._tally
        if tally is None:
            return
        if thing is None:
            thing = self._things[track] = Thing(track, now, now, found.box_xyxy, frame_hw)
        thing.see(found, frame_hw, now, self._ground)
        for zone in self._zones.values():
            yield from zone.see(thing, now, tally)
        for line in self._lines.values():
            yield from line.see(thing, now, tally)
        yield from self._tell(thing, now, tally)

    def _tell(self, thing: Thing, now: Moment, tally: Tally) -> Iterator[Occurrence]:
        if thing.told is None:
            if thing.seconds < self._settings.confirm_seconds:
                return
            tally.objects[thing.label] += 1
            event = thing.event("new", now, self._stays(thing))
        elif thing.told != thing.label or now.at_s - thing.told_s >= self._settings.update_seconds:
            event = thing.event("update", now, self._stays(thing))
        else:
            return
        if self._settings.objects:
            yield event

    def _lose(self, thing: Thing, now: Moment, tally: Tally) -> Iterator[Occurrence]:
        for zone in self._zones.values():
            yield from zone.lose(thing, now, tally)
        for line in self._lines.values():
            line.lose(thing)
        del self._things[thing.track]
        if thing.told is not None and self._settings.objects:
            yield thing.event("end", now)

    def _stays(self, thing: Thing) -> tuple[Stay, ...]:
        return tuple(stay for zone in self._zones.values() if (stay := zone.stay_of(thing)) is not None)

    def _interval(self, moment: Moment) -> int:
        return int(moment.utc.timestamp() // self._settings.aggregate_seconds)

    def _apply(self, rules: CameraRules) -> None:
        self._ground = None if rules.ground is None else homography(rules.ground.points, rules.ground.metres)
        self._zones = {
            name: old if (old := self._zones.get(name)) is not None and old.zone == zone else ZoneRule(name, zone)
            for name, zone in rules.zones.items()
        }
        self._lines = {
            name: was if (was := self._lines.get(name)) is not None and was.line == line else LineRule(name, line)
            for name, line in rules.lines.items()
        }
