"""Detections of objects that move as told, and of parts on the rendered belt, for tests of rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.events import EventItem
from vigie.events.camera import CameraEvents
from vigie.events.settings import CameraRules, EventSettings
from vigie.synthetic.layout import Style
from vigie.synthetic.shot import Shot
from vigie.synthetic.url import SceneSpec

HW = (360, 640)
BEGUN = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
# Where an object of 40 x 80 pixels stands: the middle of its lower edge in pixels; None: not in view.
Walk = Callable[[float], tuple[float, float] | None]


def frame(at_s: float, detections: list[Detection], *, camera: str = "dock", seq: int | None = None) -> DetectionsItem:
    number = round(at_s * 1000) if seq is None else seq
    at = (BEGUN + timedelta(seconds=at_s)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return DetectionsItem(
        camera, number, f"{camera}-0badc0de-{number}", at, int((1000 + at_s) * 1e9), HW, "parts/1", detections,
        StageTimings(1, 2, 1),
    )  # fmt: skip


def detection(track: str | None, x: float, y: float, *, label: str = "person", score: float = 0.9) -> Detection:
    return Detection(label, 0, score, (x - 20, y - 80, x + 20, y), track=track)


def walks(seconds: float, fps: float = 10, **paths: Walk) -> Iterator[DetectionsItem]:
    """Frames with one person per path, named by it."""
    for n in range(round(seconds * fps)):
        at_s = n / fps
        yield frame(at_s, [detection(name, *spot) for name, path in paths.items() if (spot := path(at_s)) is not None])


def belt(seconds: float, fps: float, seed: int = 3) -> Iterator[tuple[DetectionsItem, dict[str, tuple[int, ...]]]]:
    """The rendered belt as a detector without a mistake sees it: the parts' own names are their tracks."""
    shot = Shot(SceneSpec(seed=seed, fps=fps, size_wh=HW[::-1]), 0, "normal", Style(120, (40.0, 80.0), 0.4, 0.1))
    for n in range(round(seconds * fps)):
        truth = shot.truth(n, 0.2)
        found = [
            Detection(one.label, 0, 0.9, tuple(map(float, one.box_xyxy)), track=f"{one.part[0]}.{one.part[1]}")
            for one in truth
        ]
        yield (
            frame(n / fps, found, camera="belt", seq=n),
            {f"{one.part[0]}.{one.part[1]}": one.box_xyxy for one in truth},
        )


def told(
    frames: Iterable[DetectionsItem], rules: CameraRules | None = None, *, close: bool = True, **settings: object
) -> list[EventItem]:
    camera = CameraEvents(EventSettings(**settings), rules or CameraRules())
    events = [event for item in frames for event in camera.observe(item) or ()]
    return [*events, *camera.close()] if close else events


def kinds(events: Iterable[EventItem], *wanted: type) -> list[tuple[str, ...]]:
    return [(type(one).__name__, one.phase) for one in events if isinstance(one, wanted)]
