"""Counts of one camera over one interval. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from vigie.contracts.events import Aggregate, Direction, LineCount, ZoneCount
from vigie.events.moment import Moment, key_of


@dataclass(slots=True)
class Tally:
    """``first``: the interval's first frame."""

    first: Moment
    last: Moment
    frames: int = 0
    detections: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    _zones: dict[str, dict[str, ZoneCount]] = field(default_factory=lambda: defaultdict(dict))
    _lines: dict[str, dict[str, LineCount]] = field(default_factory=lambda: defaultdict(dict))

    def entered(self, zone: str, label: str) -> None:
        count = self._of_zone(zone, label)
        self._zones[zone][label] = msgspec.structs.replace(count, entered=count.entered + 1)

    def left(self, zone: str, label: str, seconds: float) -> None:
        count = self._of_zone(zone, label)
        total = round(count.stay_seconds + seconds, 3)
        self._zones[zone][label] = msgspec.structs.replace(count, left=count.left + 1, stay_seconds=total)

    def inside(self, zone: str, labels: Mapping[str, int]) -> None:
        for label, now in labels.items():
            count = self._of_zone(zone, label)
            if now > count.most:
                self._zones[zone][label] = msgspec.structs.replace(count, most=now)

    def crossed(self, line: str, label: str, direction: Direction) -> None:
        count = self._lines[line].get(label, LineCount())
        more = {direction: getattr(count, direction) + 1}
        self._lines[line][label] = msgspec.structs.replace(count, **more)

    def aggregate(self) -> Aggregate:
        first, last = self.first, self.last
        what = f"{first.camera}/counts/{first.trace}"
        return Aggregate(
            key=key_of(what, "end", first), id=what, phase="end", camera=first.camera, trace=last.trace, at=last.at,
            started_at=first.at, seconds=round(last.at_s - first.at_s, 3), frames=self.frames,
            detections=self.detections, objects=dict(self.objects), zones=dict(self._zones), lines=dict(self._lines),
        )  # fmt: skip

    def _of_zone(self, zone: str, label: str) -> ZoneCount:
        return self._zones[zone].get(label, ZoneCount())
