"""Events and their pictures: one entry per thing, the picture that shows it, memory with a bound."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from support.viewer import detections_of, frame_item
from vigie.contracts.detections import Detection
from vigie.contracts.events import LineEvent, ObjectEvent, ZoneEvent
from vigie.contracts.told import Told
from vigie_viewer import occurrences
from vigie_viewer.album import Album
from vigie_viewer.occurrences import Occurrences, ToldRaw
from vigie_viewer.picture import Picture

BEGUN = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)


def at(second: float) -> str:
    return (BEGUN + timedelta(seconds=second)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def picture(second: float, *tracks: str, size: float = 20.0, jpeg: bytes = b"jpeg") -> Picture:
    frame = msgspec.structs.replace(frame_item(round(second * 100)), captured_at=at(second), frame_hw=(360, 640))
    boxes = [Detection("nut", 0, 0.9, (100.0, 100.0, 100.0 + size, 100.0 + size), track=track) for track in tracks]
    return Picture(frame, msgspec.structs.replace(detections_of(frame), detections=boxes), 640, jpeg)


def zone(phase: str, second: float, *, track: str = "t-1", began: float = 1.0) -> ZoneEvent:
    what = f"{track}/gate/{began}"
    return ZoneEvent(
        key=f"{what}/{phase}", id=what, phase=phase, camera="dock", trace="x", at=at(second), started_at=at(began),
        seconds=second - began, zone="gate", track=track, label="nut", inside=1,
    )  # fmt: skip


def thing(phase: str, second: float, track: str = "t-1") -> ObjectEvent:
    return ObjectEvent(
        key=f"{track}/{phase}", id=track, phase=phase, camera="dock", trace="x", at=at(second), started_at=at(0),
        seconds=second, label="nut", score=0.9, frame_hw=(360, 640),
    )  # fmt: skip


def line(second: float, track: str = "t-1") -> LineEvent:
    return LineEvent(
        key=f"{track}/{second}", id=f"{track}/{second}", phase="end", camera="dock", trace="x", at=at(second),
        started_at=at(second), seconds=0, line="door", track=track, label="nut", direction="forward",
    )  # fmt: skip


class Page:
    def __init__(self, pictures_bytes_max: int = occurrences.PICTURES_BYTES_MAX) -> None:
        self.album = Album()
        self.here = Occurrences(self.album, pictures_bytes_max)
        self.texts: list[dict] = []
        self.here.tell = lambda text: self.texts.append(json.loads(text))
        self._number = 0

    def take(self, event: Any, *counts: int) -> None:
        self._number += 1
        self.here.take(Told("boot", self._number, event, counts))

    def entries(self) -> list[dict]:
        return json.loads(self.here.greeting())["items"]

    def shown(self, entry: dict) -> bytes | None:
        return None if entry["picture"] is None else self.here.picture(entry["picture"]["id"])


def test_one_entry_per_thing_however_often_it_is_told_of() -> None:
    page = Page()
    for event in (thing("new", 1), zone("new", 1.2), thing("update", 60), zone("end", 61), thing("end", 62), line(63)):
        page.take(event)
    assert [(one["event"]["type"], one["event"]["phase"]) for one in page.entries()] == [
        ("zone", "end"), ("object", "end"), ("line", "end"),
    ]  # fmt: skip
    assert len(page.texts) == 6


def test_what_sync_repeats_is_not_told_again_and_a_restarted_sync_is_heard() -> None:
    page = Page()
    page.here.take(Told("boot", 7, line(1)))
    page.here.take(Told("boot", 7, line(1)))
    page.here.take(Told("boot", 6, line(0)))
    assert len(page.texts) == 1
    page.here.take(Told("other", 1, line(2)))
    assert (page.here.last.boot, page.here.last.number) == ("other", 1)
    assert len(page.entries()) == 2


def test_an_event_of_a_newer_version_is_passed_over_and_not_asked_for_again() -> None:
    page = Page()
    page.here.hear(ToldRaw("boot", 1, msgspec.Raw(b'{"type": "of_tomorrow"}')))
    page.here.hear(ToldRaw("boot", 2, msgspec.Raw(msgspec.json.encode(line(1)))))
    assert page.here.last.number == 2
    assert [one["event"]["type"] for one in page.entries()] == ["line"]


def test_an_object_is_shown_as_it_was_seen_best() -> None:
    page = Page()
    page.here.see(picture(1.0, "t-1", size=20, jpeg=b"small"))
    page.take(thing("new", 1.1))
    page.here.see(picture(2.0, "t-1", size=60, jpeg=b"large"))
    page.here.see(picture(3.0, "t-1", size=30, jpeg=b"leaving"))
    page.take(thing("end", 4.0))
    [entry] = page.entries()
    assert page.shown(entry) == b"large"
    assert entry["picture"]["box"] == [100, 100, 160, 160]
    assert entry["picture"]["hw"] == [360, 640]


def test_who_enters_a_zone_is_shown_entering_on_the_nearest_picture_that_has_it() -> None:
    page = Page()
    page.here.see(picture(1.0, "t-1", jpeg=b"before"))
    page.take(zone("new", 1.5), 1, 1, 0)
    assert page.shown(page.entries()[0]) == b"before"
    page.here.see(picture(1.45, "t-2", jpeg=b"somebody else"))
    page.here.see(picture(1.5, "t-1", jpeg=b"the frame"))
    page.here.see(picture(1.8, "t-1", jpeg=b"after"))
    page.take(zone("end", 3.0), 0, 1, 1)
    [entry] = page.entries()
    assert page.shown(entry) == b"the frame"
    assert entry["counts"] == [0, 1, 1]


def test_without_a_picture_near_enough_none_is_shown() -> None:
    page = Page()
    page.here.see(picture(1.0, "t-1"))
    page.take(line(9.0))
    assert page.entries()[0]["picture"] is None


def test_what_is_forgotten_leaves_the_list_its_picture_and_every_page() -> None:
    page = Page()
    page.here.see(picture(1.0, "t-1"))
    page.take(line(1.0))
    [entry] = page.entries()
    assert page.here.forget("yard") == 0
    assert page.here.forget("dock") == 1
    assert page.shown(entry) is None
    assert page.texts[-1] == {"kind": "told", "items": [], "all": True}


def test_objects_do_not_push_out_what_is_rare() -> None:
    page = Page()
    page.take(line(0.5, "t-0"))
    for number in range(3 * occurrences.OBJECTS_MAX):
        page.take(thing("new", 1.0, f"t-{number}"))
    kinds = [one["event"]["type"] for one in page.entries()]
    assert (kinds.count("line"), kinds.count("object")) == (1, occurrences.OBJECTS_MAX)


def test_pictures_take_no_more_memory_than_they_may() -> None:
    page = Page(pictures_bytes_max=1000)
    for number in range(10):
        page.here.see(picture(number, f"t-{number}", jpeg=bytes(300)))
        page.take(line(number, f"t-{number}"))
    pictures = [page.shown(one) for one in page.entries()]
    assert [jpeg is not None for jpeg in pictures] == [False] * 7 + [True] * 3
    page.album.clear()
    assert page.album.best("t-9") is None
