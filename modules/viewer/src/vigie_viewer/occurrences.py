"""What sync tells of objects, zones and lines, each with the picture that shows it best; newest last.

One entry per thing: an object that came, was told of again and left is one, and so is one stay in a zone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from vigie.contracts.demand import EventsAfter
from vigie.contracts.events import Aggregate, EventItem, LineEvent, ObjectEvent, ZoneEvent
from vigie.contracts.told import Told
from vigie_viewer.album import Album, AlbumPicture, seconds_of
from vigie_viewer.picture import Picture

OBJECTS_MAX = 200
OTHERS_MAX = 300
PICTURES_BYTES_MAX = 12 << 20
# A picture this far from the event still shows it; later ones may be nearer, so the entry waits for as long.
_WITHIN_S = 1.0
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[EventItem] = msgspec.json.Decoder(EventItem)


class ToldRaw(msgspec.Struct, frozen=True):
    """``Told`` with its event as it came: a sync that is newer than this viewer may tell of what is not known here."""

    boot: str
    number: int
    event: msgspec.Raw
    counts: tuple[int, ...] = ()


@dataclass(slots=True)
class _Entry:
    told: Told
    # Without its JPEG, which is under ``picture`` for as long as there is room.
    shown: AlbumPicture | None = None
    picture: str | None = None


class Occurrences:
    """Lives on the event loop. ``tell`` sends JSON text to every open page."""

    def __init__(self, album: Album, pictures_bytes_max: int = PICTURES_BYTES_MAX) -> None:
        self._pictures_bytes_max = pictures_bytes_max
        self.tell: Callable[[str], None] = lambda _text: None
        self._album = album
        self._objects: OrderedDict[str, _Entry] = OrderedDict()
        self._others: OrderedDict[str, _Entry] = OrderedDict()
        # Entries for which a nearer picture may still come.
        self._waiting: dict[str, _Entry] = {}
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._pictures_bytes = self._picture_number = 0
        self.last = EventsAfter("", 0)

    def hear(self, told: ToldRaw) -> None:
        """Sync told of an event, maybe one of a newer version that is not known here."""
        try:
            event = _decoder.decode(told.event)
        except msgspec.MsgspecError:
            self._passed(told.boot, told.number)
        else:
            self.take(Told(told.boot, told.number, event, told.counts))

    def take(self, told: Told) -> None:
        """Sync told of an event; what it repeats is known already."""
        if not self._passed(told.boot, told.number):
            return
        event = told.event
        if isinstance(event, Aggregate):
            return
        kept, most = (self._objects, OBJECTS_MAX) if isinstance(event, ObjectEvent) else (self._others, OTHERS_MAX)
        entry = kept.pop(event.id, None) or _Entry(told)
        entry.told = told
        kept[event.id] = entry
        while len(kept) > most:
            self._drop_picture(kept.popitem(last=False)[1])
        self._show(entry, self._snapshot(event))
        if isinstance(event, ObjectEvent):
            if event.phase == "end":
                self._album.forget(event.id)
        elif event.phase != "end" or not isinstance(event, ZoneEvent):
            self._waiting[event.key] = entry
        self._tell([entry])

    def see(self, picture: Picture) -> None:
        """A picture was made: for some entries it may be a nearer one than what they have."""
        self._album.see(picture)
        if not self._waiting:
            return
        at_s, changed = seconds_of(picture.frame.captured_at), []
        for key, entry in list(self._waiting.items()):
            event = entry.told.event
            if event.camera != picture.frame.camera:
                continue
            before = entry.shown
            self._show(entry, self._snapshot(event))
            if entry.shown is not before:
                changed.append(entry)
            if at_s >= seconds_of(event.at):
                del self._waiting[key]  # later ones are farther away
        if changed:
            self._tell(changed)

    def greeting(self) -> str:
        """Everything, for a page that has just been opened."""
        entries = sorted([*self._objects.values(), *self._others.values()], key=lambda one: one.told.event.at)
        return _text([_described(entry) for entry in entries], everything=True)

    def picture(self, number: str) -> bytes | None:
        """The JPEG that an entry names."""
        return self._pictures.get(number)

    def forget(self, camera: str | None) -> int:
        """Everything of ``camera`` (None: of all) goes, here and on every page; returns how many events that were."""
        self._album.clear()
        gone = 0
        for kept in (self._objects, self._others):
            for key in [key for key, entry in kept.items() if camera in {None, entry.told.event.camera}]:
                self._drop_picture(kept.pop(key))
                gone += 1
        self._waiting.clear()
        self.tell(self.greeting())
        return gone

    def _passed(self, boot: str, number: int) -> bool:
        """Whether this one is new; then it is the last that is known."""
        if boot == self.last.boot and number <= self.last.number:
            return False
        self.last = EventsAfter(boot, number)
        return True

    def _snapshot(self, event: EventItem) -> AlbumPicture | None:
        if isinstance(event, ObjectEvent):
            return self._album.best(event.id)
        track = event.track if isinstance(event, ZoneEvent | LineEvent) else None
        return self._album.nearest(event.camera, seconds_of(event.at), _WITHIN_S, track)

    def _show(self, entry: _Entry, snapshot: AlbumPicture | None) -> None:
        if snapshot is None or not _better(entry, snapshot):
            return
        self._drop_picture(entry)
        self._picture_number += 1
        entry.shown, entry.picture = replace(snapshot, jpeg=b""), str(self._picture_number)
        self._pictures[entry.picture] = snapshot.jpeg
        self._pictures_bytes += len(snapshot.jpeg)
        while self._pictures_bytes > self._pictures_bytes_max:
            self._pictures_bytes -= len(self._pictures.popitem(last=False)[1])

    def _drop_picture(self, entry: _Entry) -> None:
        if entry.picture is not None and (jpeg := self._pictures.pop(entry.picture, None)) is not None:
            self._pictures_bytes -= len(jpeg)
        entry.picture = entry.shown = None

    def _tell(self, entries: list[_Entry]) -> None:
        self.tell(_text([_described(entry) for entry in entries], everything=False))


def _better(entry: _Entry, snapshot: AlbumPicture) -> bool:
    event, before = entry.told.event, entry.shown
    if before is None:
        return True
    if isinstance(event, ObjectEvent):
        return snapshot.worth > before.worth
    at_s = seconds_of(event.at)
    # Who entered is shown entering, not leaving.
    left = isinstance(event, ZoneEvent) and event.phase == "end"
    return not left and abs(snapshot.at_s - at_s) < abs(before.at_s - at_s)


def _described(entry: _Entry) -> dict[str, Any]:
    shown = entry.shown
    picture = None if shown is None else {"id": entry.picture, "hw": shown.frame_hw, "box": shown.box_xyxy}
    return {"event": entry.told.event, "counts": entry.told.counts, "picture": picture}


def _text(items: list[dict[str, Any]], *, everything: bool) -> str:
    return _encoder.encode({"kind": "told", "items": items, "all": everything}).decode()
