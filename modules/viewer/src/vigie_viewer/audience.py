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


class PageListener(Protocol):
    """A connection that takes messages without waiting; False: it has no room, or is gone."""

    def send(self, message: bytes) -> None: ...
    def close(self, reason: str) -> None: ...


@dataclass(slots=True)
class PageCamera:
    """One camera on one page."""

    width: int
    fps: float
    pacer: Pacer = field(default_factory=Pacer)
    unacknowledged: int = 0
    waits_since: float = 0.0


@dataclass(slots=True, eq=False)
class Viewer:
    """One open page."""

    listener: PageListener
    cameras: dict[str, PageCamera] = field(default_factory=dict)
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

    def join(self, listener: PageListener) -> Viewer:
        viewer = Viewer(listener)
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        self._refresh()

    def look(self, viewer: Viewer, wants: Mapping[str, tuple[int, float]]) -> None:
        """The page now shows these cameras, at these widths and rates; what it showed before is forgotten."""
        cameras = {}
        for camera, (width, fps) in wants.items():
            kept = viewer.cameras.get(camera) or PageCamera(0, 0.0)
            kept.width, kept.fps = shared_width(min(width, self.width_max)), max(0.1, min(fps, self.fps_max))
            cameras[camera] = kept
        viewer.cameras = cameras
        self._refresh()

    def drawn(self, viewer: Viewer, camera: str) -> None:
        """The page has drawn a picture of ``camera``."""
        shown = viewer.cameras.get(camera)
        if shown is not None and shown.unacknowledged:
            shown.unacknowledged -= 1
            shown.waits_since = self._clock()
            if shown.unacknowledged == UNACKNOWLEDGED_MAX - 1:
                self._refresh()

    def publish(self, picture: Picture) -> None:
        """Give ``picture`` to every page that looks at its camera at its width and can take it."""
        message: bytes | None = None
        now = self._clock()
        captured_ns = picture.frame.captured_ns
        full = False
        for viewer in self.viewers:
            shown = viewer.cameras.get(picture.frame.camera)
            if shown is None or shown.width != picture.width or not shown.pacer.due(captured_ns, shown.fps):
                continue
            if shown.unacknowledged >= UNACKNOWLEDGED_MAX:
                viewer.skipped += 1
                self.skipped += 1
                continue
            shown.pacer.took(captured_ns)
            if not shown.unacknowledged:
                shown.waits_since = now
            shown.unacknowledged += 1
            full = full or shown.unacknowledged >= UNACKNOWLEDGED_MAX
            message = message or picture.message()
            viewer.listener.send(message)
        if full:
            self._refresh()

    def close_stalled(self) -> None:
        """Close pages that took pictures and drew none for a long time."""
        now = self._clock()
        for viewer in list(self.viewers):
            if any(shown.unacknowledged and now - shown.waits_since > STALLED_S for shown in viewer.cameras.values()):
                self.leave(viewer)
                viewer.listener.close("stalled")

    @property
    def cameras(self) -> dict[str, float]:
        """Camera to the highest rate that somebody looks at it, whether or not the page keeps up just now."""
        found: dict[str, float] = {}
        for viewer in self.viewers:
            for camera, shown in viewer.cameras.items():
                found[camera] = max(found.get(camera, 0.0), shown.fps)
        return found

    def _refresh(self) -> None:
        wanted: dict[str, dict[int, float]] = {}
        for viewer in self.viewers:
            for camera, shown in viewer.cameras.items():
                widths = wanted.setdefault(camera, {})
                if shown.unacknowledged < UNACKNOWLEDGED_MAX:
                    widths[shown.width] = max(widths.get(shown.width, 0.0), shown.fps)
        self.wanted = wanted
        self.changed()


def shared_width(width: int) -> int:
    """The smallest shared width that covers ``width``."""
    return next((one for one in WIDTHS if one >= width), WIDTHS[-1])
