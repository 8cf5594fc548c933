"""Which events get a picture or a clip, and which frames are samples for training. Pure; times come as arguments."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.events import EventItem, LineEvent, MissingEvent, ObjectEvent, PresenceEvent, Severity, ZoneEvent
from vigie.contracts.evidence import About
from vigie.contracts.keep import KeepClip, KeepHeld, KeepItem, KeepPicture, Style
from vigie.events.settings import Name
from vigie.events.worth import worth_of

Shown = ObjectEvent | ZoneEvent | LineEvent | PresenceEvent | MissingEvent
ShownType = Literal["object", "zone", "line", "presence", "missing"]

# A better picture of an object is asked for when it is this much better, and this long after the one before.
_BETTER = 1.15
_BETTER_S = 0.3
_HELD_MAX = 256
_HOUR_S = 3600.0

_Labels = list[Annotated[str, Meta(min_length=1, max_length=128)]]


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the camera sent, as it sent it. The camera needs `clips` in its twin, and neither masks nor blur."""

    before_seconds: Annotated[float, Meta(ge=0, le=120, description="Before the event.")] = 5.0
    after_seconds: Annotated[float, Meta(ge=0, le=20, description="After it.")] = 5.0


class EvidenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which events, and what of them. An event that several rules want gets what any of them wants, once."""

    types: Annotated[
        list[ShownType], Meta(min_length=1, description="object, zone, line, presence, missing; absent: all.")
    ] | None = None  # fmt: skip
    severity: Annotated[Severity, Meta(description="'alert': alerts only.")] = "event"
    cameras: Annotated[list[Name], Meta(min_length=1, description="Cameras; absent: all.")] | None = None
    labels: Annotated[_Labels, Meta(min_length=1, description="Classes; absent: all.")] | None = None
    places: Annotated[list[Name], Meta(min_length=1, description="Zones and lines; absent: all.")] | None = None
    picture: Annotated[
        Literal["plain", "boxes", "both", "none"], Meta(description="A picture of it, without or with boxes.")
    ] = "plain"
    clip: Annotated[Clip, Meta(description="A clip of it; absent: none.")] | None = None


class EvidenceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Evidence of events. Nothing is kept by default."""

    rules: Annotated[dict[Name, EvidenceRule], Meta(max_length=32, description="Rules by a name of your choice.")] = {}
    per_hour: Annotated[
        int, Meta(ge=1, le=100_000, description="Events with evidence per camera and hour; alerts come on top.")
    ] = 120


@dataclass(slots=True)
class _Wants:
    styles: set[Style] = field(default_factory=set)
    before_s: float | None = None
    after_s: float = 0.0


@dataclass(slots=True)
class _Held:
    camera: str
    wants: _Wants
    worth: float
    asked_s: float


class Chooser:
    """Used from one thread. ``dropped``: events that `per_hour` left without, by camera, since it was last read."""

    def __init__(self) -> None:
        self._settings = EvidenceSettings()
        self._held: dict[str, _Held] = {}
        self._hour: dict[str, deque[float]] = {}
        self.dropped: Counter[str] = Counter()

    def configure(self, settings: EvidenceSettings) -> None:
        """From the next frame on."""
        self._settings = settings

    def choose(self, item: DetectionsItem, events: Iterable[EventItem], now_s: float) -> list[KeepItem]:
        """What to keep of this frame and what came of it. ``now_s``: of any clock that only goes forward."""
        if not self._settings.rules and not self._held:
            return []
        kept: list[KeepItem] = []
        for event in events:
            if isinstance(event, Shown):
                kept += self._of(event, item, now_s)
        if self._held:
            kept += self._better(item, now_s)
        return kept

    def _of(self, event: Shown, item: DetectionsItem, now_s: float) -> list[KeepItem]:
        if isinstance(event, ObjectEvent) and event.phase == "end":
            held = self._held.pop(event.id, None)
            if held is None:
                return []
            return [KeepHeld(hold=event.id, name=name_of(event), camera=event.camera, about=about(event))]
        # Of one frame only is there a picture: what silence or a change of the twin brought about has none.
        if event.trace != item.trace or not _shows(event):
            return []
        wants = self._wants(event)
        if wants is None or not self._within(event, now_s):
            return []
        kept: list[KeepItem] = []
        if wants.styles:
            held_as = event.id if isinstance(event, ObjectEvent) else None
            kept.append(picture_of(item, name_of(event), wants.styles, about(event), hold=held_as))
            if held_as is not None and len(self._held) < _HELD_MAX:
                self._held[held_as] = _Held(event.camera, wants, _best_worth(held_as, item), now_s)
        if wants.before_s is not None:
            kept.append(
                KeepClip(
                    name=name_of(event), camera=event.camera, about=about(event),
                    before_s=wants.before_s, after_s=wants.after_s,
                )
            )  # fmt: skip
        return kept

    def _better(self, item: DetectionsItem, now_s: float) -> list[KeepItem]:
        kept: list[KeepItem] = []
        for found in item.detections:
            held = self._held.get(found.track or "")
            if held is None or held.camera != item.camera or now_s - held.asked_s < _BETTER_S:
                continue
            worth = worth_of(found, item.frame_hw)
            if worth >= held.worth * _BETTER:
                held.worth, held.asked_s = worth, now_s
                track = str(found.track)
                kept.append(
                    picture_of(item, f"{item.camera}-held-{_short(track)}", held.wants.styles, None, hold=track)
                )  # fmt: skip
        return kept

    def _wants(self, event: Shown) -> _Wants | None:
        found: _Wants | None = None
        for rule in self._settings.rules.values():
            if not matches(rule, event):
                continue
            found = found or _Wants()
            if rule.picture in {"plain", "both"}:
                found.styles.add("plain")
            if rule.picture in {"boxes", "both"}:
                found.styles.add("boxes")
            if rule.clip is not None:
                found.before_s = max(found.before_s or 0.0, rule.clip.before_seconds)
                found.after_s = max(found.after_s, rule.clip.after_seconds)
        return found

    def _within(self, event: Shown, now_s: float) -> bool:
        if event.severity == "alert":
            return True
        hour = self._hour.setdefault(event.camera, deque())
        while hour and now_s - hour[0] > _HOUR_S:
            hour.popleft()
        if len(hour) >= self._settings.per_hour:
            self.dropped[event.camera] += 1
            return False
        hour.append(now_s)
        return True


def matches(rule: EvidenceRule, event: Shown) -> bool:
    """Whether ``rule`` wants ``event``."""
    label = getattr(event, "label", None)
    place = getattr(event, "zone", None) or getattr(event, "line", None)
    return (
        (rule.types is None or event.__struct_config__.tag in rule.types)
        and (rule.severity == "event" or event.severity == "alert")
        and (rule.cameras is None or event.camera in rule.cameras)
        and (rule.labels is None or label in rule.labels)
        and (rule.places is None or place in rule.places)
    )


def about(event: Shown) -> About:
    """What evidence says of its event."""
    return About(
        key=event.key, id=event.id, type=str(event.__struct_config__.tag), phase=event.phase, severity=event.severity,
        label=getattr(event, "label", None), zone=getattr(event, "zone", None), line=getattr(event, "line", None),
    )  # fmt: skip


def name_of(event: Shown) -> str:
    """The same for the same event, whenever it is told again."""
    return f"{event.camera}-{_compact(event.at)}-{_short(event.key)}"


def picture_of(
    item: DetectionsItem,
    name: str,
    styles: set[Style],
    of: About | None,
    *,
    hold: str | None = None,
) -> KeepPicture:
    """The request for this frame."""
    return KeepPicture(
        name=name, camera=item.camera, seq=item.seq, trace=item.trace, at=item.captured_at,
        boxes=tuple(msgspec.structs.replace(one, mask=None, keypoints=()) for one in item.detections),
        blur=item.blur,
        styles=tuple(sorted(styles)), about=of, hold=hold,
    )  # fmt: skip


def _shows(event: Shown) -> bool:
    """Whether this is the moment: an entry, a crossing, an alert during a stay; not every update and not the end."""
    if isinstance(event, LineEvent):
        return True
    if isinstance(event, ZoneEvent) and event.phase == "update":
        return event.loitering or event.speeding
    return event.phase == "new"


def _best_worth(track: str, item: DetectionsItem) -> float:
    return max((worth_of(one, item.frame_hw) for one in item.detections if one.track == track), default=0.0)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _compact(at: str) -> str:
    """2026-11-28T10:42:00.100Z as 20261128T104200.100Z: of a file's name."""
    return at.replace("-", "").replace(":", "")[:24]
