"""The policy ``aggregate``: the oldest items that wait become counts, one item per camera. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.events import Aggregate, EventItem, LineCount, Omitted, ZoneCount
from vigie.events.moment import KEY
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import FOLDED, LedgerEntry

_events: msgspec.json.Decoder[EventItem] = msgspec.json.Decoder(EventItem)
_frames = msgspec.json.Decoder(DetectionsItem)
_encoder = msgspec.json.Encoder()


def is_folded(key: str) -> bool:
    """Whether it is the key of counts that ``folded`` made."""
    return FOLDED in key


def folded(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Of one priority, in their order. Returns: one entry per camera, those whose last item is the oldest first.

    Counts of intervals become those of one long interval; everything else an ``omitted`` that says how many items of
    which kind there were. Raises: msgspec.MsgspecError: a body is not what this version writes.
    """
    by_camera: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        of_camera = by_camera.pop(entry.camera, [])  # and to the end again
        of_camera.append(entry)
        by_camera[entry.camera] = of_camera
    return [_fold(camera, of_camera) for camera, of_camera in by_camera.items()]


def _fold(camera: str, entries: list[LedgerEntry]) -> LedgerEntry:
    if len(entries) == 1 and is_folded(entries[0].trace):
        return entries[0]
    priority = entries[0].priority
    items = [_decoded(entry) for entry in entries]
    aggregates = [item for item in items if isinstance(item, Aggregate)]
    one: EventItem = _long(aggregates) if len(aggregates) == len(items) else _omitted(camera, priority, items)
    return LedgerEntry(one.key, camera, _encoder.encode(one), priority)


def _decoded(entry: LedgerEntry) -> EventItem | DetectionsItem:
    return _events.decode(entry.body) if entry.trace.startswith(KEY) else _frames.decode(entry.body)


def _long(parts: Sequence[Aggregate]) -> Aggregate:
    first, last = parts[0], parts[-1]
    zones: dict[str, dict[str, ZoneCount]] = {}
    lines: dict[str, dict[str, LineCount]] = {}
    for part in parts:
        for zone, counts in part.zones.items():
            for label, count in counts.items():
                of_zone = zones.setdefault(zone, {})
                before = of_zone.get(label, ZoneCount())
                of_zone[label] = ZoneCount(
                    before.entered + count.entered, before.left + count.left, max(before.most, count.most),
                    round(before.stay_seconds + count.stay_seconds, 3),
                )  # fmt: skip
        for line, crossings in part.lines.items():
            for label, crossed in crossings.items():
                of_line = lines.setdefault(line, {})
                until = of_line.get(label, LineCount())
                of_line[label] = LineCount(until.forward + crossed.forward, until.backward + crossed.backward)
    objects: Counter[str] = Counter()
    for part in parts:
        objects.update(part.objects)
    return msgspec.structs.replace(
        last, key=f"{KEY}{first.id}{FOLDED}{last.trace}", started_at=first.started_at,
        seconds=_between(first.started_at, last.at, sum(part.seconds for part in parts)),
        frames=sum(part.frames for part in parts), detections=sum(part.detections for part in parts),
        objects=dict(objects), zones=zones, lines=lines,
    )  # fmt: skip


def _omitted(camera: str, priority: Priority, items: Sequence[EventItem | DetectionsItem]) -> Omitted:
    kinds: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Omitted):
            kinds.update(item.kinds)
            labels.update(item.labels)
        elif isinstance(item, DetectionsItem):
            kinds["frame"] += 1
            labels.update(found.label for found in item.detections)
        else:
            kinds[f"{item.__struct_config__.tag}/{item.phase}"] += 1
            labels.update(_labels(item))
    first, last = items[0], items[-1]
    began = first.captured_at if isinstance(first, DetectionsItem) else first.at
    if isinstance(first, Omitted):
        began = first.started_at
    at = last.captured_at if isinstance(last, DetectionsItem) else last.at
    what = f"{camera}/omitted/{priority.word}/{first.trace}"
    return Omitted(
        key=f"{KEY}{what}{FOLDED}{last.trace}", id=what, phase="end", camera=camera, trace=last.trace, at=at,
        severity="alert" if priority is Priority.ALERT else "event", started_at=began,
        seconds=_between(began, at, 0.0), priority=priority.word, items=sum(kinds.values()), kinds=dict(kinds),
        labels=dict(labels),
    )  # fmt: skip


def _labels(item: EventItem) -> Iterable[str]:
    label = getattr(item, "label", None)
    return () if label is None else (label,)


def _between(begin: str, end: str, otherwise: float) -> float:
    try:
        return round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds(), 3)
    except (ValueError, TypeError):  # not two times of one kind
        return otherwise
