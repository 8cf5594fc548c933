"""Who looks at what, and who gets which picture. Lives on the event loop; the worker reads ``wanted``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vigie_viewer.pacing import Pacer
from vigie_viewer.picture import Picture

# A page that has not drawn two pictures of a camera gets no third: it would only be old.
UNACKNOWLEDGED_MAX = 2
# A page that draws nothing for this long is closed; it comes back by itself when somebody looks at it again.
STALLED_S = 30.0
# So few sizes that viewers share them.
WIDTHS = (320, 640, 960, 1280, 1920, 3840)


class Listener(Protocol):
    """A connection that takes messages without waiting; False: it has no room, or is gone."""

    def send(self, message: bytes) -> None: ...
    def close(self, reason: str) -> None: ...


@dataclass(slots=True)
class Look:
    """One camera on one page."""

    width: int
    fps: float
    pacer: Pacer = field(default_factory=Pacer)
    unacknowledged: int = 0
    waits_since: float = 0.0


@dataclass(slots=True, eq=False)
class Viewer:
    """One open page."""

    listener: Listener
    looks: dict[str, Look] = field(default_factory=dict)
    skipped: int = 0


class Audience:
    """``wanted``: camera -> width -> pictures per second, of pages that can take one; replaced as a whole."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``changed`` is called when it may be that other cameras are looked at than before."""
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self.viewers: set[Viewer] = set()
        self.fps_max = 10.0
        self.width_max = WIDTHS[-1]
        self.wanted: Mapping[str, Mapping[int, float]] = {}
        self.skipped = 0

    def join(self, listener: Listener) -> Viewer:
        viewer = Viewer(listener)
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        self._refresh()

    def look(self, viewer: Viewer, wants: Mapping[str, tuple[int, float]]) -> None:
        """The page now shows these cameras, at these widths and rates; what it showed before is forgotten."""
        looks = {}
        for camera, (width, fps) in wants.items():
            kept = viewer.looks.get(camera) or Look(0, 0.0)
            kept.width, kept.fps = shared_width(min(width, self.width_max)), max(0.1, min(fps, self.fps_max))
            looks[camera] = kept
        viewer.looks = looks
        self._refresh()

    def drawn(self, viewer: Viewer, camera: str) -> None:
        """The page has drawn a picture of ``camera``."""
        look = viewer.looks.get(camera)
        if look is not None and look.unacknowledged:
            look.unacknowledged -= 1
            look.waits_since = self._clock()
            if look.unacknowledged == UNACKNOWLEDGED_MAX - 1:
                self._refresh()

    def publish(self, picture: Picture) -> None:
        """Give ``picture`` to every page that looks at its camera at its width and can take it."""
        message: bytes | None = None
        now = self._clock()
        captured_ns = picture.frame.captured_ns
        full = False
        for viewer in self.viewers:
            look = viewer.looks.get(picture.frame.camera)
            if look is None or look.width != picture.width or not look.pacer.due(captured_ns, look.fps):
                continue
            if look.unacknowledged >= UNACKNOWLEDGED_MAX:
                viewer.skipped += 1
                self.skipped += 1
                continue
            look.pacer.took(captured_ns)
            if not look.unacknowledged:
                look.waits_since = now
            look.unacknowledged += 1
            full = full or look.unacknowledged >= UNACKNOWLEDGED_MAX
            message = message or picture.message()
            viewer.listener.send(message)
        if full:
            self._refresh()

    def close_stalled(self) -> None:
        """Close pages that took pictures and drew none for a long time."""
        now = self._clock()
        for viewer in list(self.viewers):
            if any(look.unacknowledged and now - look.waits_since > STALLED_S for look in viewer.looks.values()):
                self.leave(viewer)
                viewer.listener.close("stalled")

    @property
    def cameras(self) -> dict[str, float]:
        """Camera to the highest rate that somebody looks at it, whether or not the page keeps up just now."""
        found: dict[str, float] = {}
        for viewer in self.viewers:
            for camera, look in viewer.looks.items():
                found[camera] = max(found.get(camera, 0.0), look.fps)
        return found

    def _refresh(self) -> None:
        wanted: dict[str, dict[int, float]] = {}
        for viewer in self.viewers:
            for camera, look in viewer.looks.items():
                widths = wanted.setdefault(camera, {})
                if look.unacknowledged < UNACKNOWLEDGED_MAX:
                    widths[look.width] = max(widths.get(look.width, 0.0), look.fps)
        self.wanted = wanted
        self.changed()


def shared_width(width: int) -> int:
    """The smallest shared width that covers ``width``."""
    return next((one for one in WIDTHS if one >= width), WIDTHS[-1])
