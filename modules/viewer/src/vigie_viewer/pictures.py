"""Claims in, pictures out: the viewer's one worker with pixels. It works only for cameras that somebody looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.errors import FrameGoneError, VigieError
from vigie.frames import RingPool
from vigie.log import OncePer, get_logger
from vigie.service import InputQueue, Service
from vigie_viewer.config import ViewerConfig
from vigie_viewer.encode import encode, prepare_opencv
from vigie_viewer.matching import SILENT_S, Pairing, PendingFrame
from vigie_viewer.pacing import Pacer
from vigie_viewer.picture import Picture

log = get_logger("viewer.pictures")

# How soon a thread sees that it is to stop, and what it costs while nobody looks: a message wakes it at once.
_POLL_S = 0.5
# After so many frames in a row that were gone when their detections came, pictures are made ahead; tried again later.
_GONE_IN_A_ROW = 3
_AHEAD_FOR_S = 20.0
# No pair of frame and detections for this long: the picture alone is shown, and the page says so.
_ALONE_AFTER_S = 2.0
_FIRST_PAIR_S = 0.5

Wanted = Mapping[str, Mapping[int, float]]
Jpegs = dict[int, bytes]


@dataclass(slots=True)
class _Camera:
    pairing: Pairing[Jpegs] = field(default_factory=Pairing)
    pacers: dict[int, Pacer] = field(default_factory=dict)
    gone_in_a_row: int = 0
    ahead_until: float = 0.0
    ahead_pacer: Pacer = field(default_factory=Pacer)
    shown_at: float = 0.0


class Pictures:
    """``wanted()``: camera -> width -> pictures per second. ``publish`` takes a picture, from the worker's threads."""

    def __init__(
        self,
        service: Service[ViewerConfig],
        frames: InputQueue[FrameItem],
        detections: InputQueue[DetectionsItem],
        wanted: Callable[[], Wanted],
        publish: Callable[[Picture], None],
    ) -> None:
        self._service, self._frames, self._detections = service, frames, detections
        self._wanted, self._publish = wanted, publish
        self._cameras: dict[str, _Camera] = {}
        self._lock = threading.Lock()
        self._pool = RingPool(service.env.frames)
        self._quality = ViewerConfig().quality
        self._quiet = OncePer()
        metrics = service.metrics
        self._made = metrics.counter("vigie_viewer_pictures", "Pictures encoded.", ("camera",))
        self._bytes = metrics.counter("vigie_viewer_picture_bytes", "Bytes of the encoded pictures.", ("camera",))

    def configure(self, config: ViewerConfig) -> None:
        self._quality = config.quality

    def take_frames(self, stop: threading.Event) -> None:
        """Body of a thread: claims of frames."""
        prepare_opencv()
        while not stop.is_set():
            received = self._frames.get(_POLL_S)
            if received is None:
                self._forget_unwatched()
                continue
            for item in received.items:
                with self._lock:
                    self._frame(item)
            received.done()

    def take_detections(self, stop: threading.Event) -> None:
        """Body of a thread: what was seen."""
        while not stop.is_set():
            received = self._detections.get(_POLL_S)
            if received is None:
                continue
            for item in received.items:
                with self._lock:
                    self._found(item)
            received.done()

    def close(self) -> None:
        self._pool.close()

    def _frame(self, item: FrameItem) -> None:
        if item.camera not in self._wanted():
            return
        now = time.monotonic()
        camera = self._cameras.get(item.camera)
        if camera is None:
            # Somebody has just begun to look: inference gets a moment before the picture is shown alone.
            camera = self._cameras[item.camera] = _Camera(Pairing(detected_at=now - SILENT_S + _FIRST_PAIR_S))
            camera.shown_at = now
        waiting: PendingFrame[Jpegs] = PendingFrame(item)
        # Where the classes to blur are is not known yet: such a picture is made with its detections or not at all.
        if (
            item.blur is None
            and now < camera.ahead_until
            and camera.ahead_pacer.due(item.captured_ns, self._fps(item.camera))
        ):
            camera.ahead_pacer.took(item.captured_ns)
            waiting.picture = self._encode(camera, item, None)
        shown = camera.pairing.frame(waiting, now)
        if shown is None and now - camera.shown_at > _ALONE_AFTER_S:
            self._show(camera, waiting, None)
        elif shown is not None:
            self._show(camera, *shown)

    def _found(self, item: DetectionsItem) -> None:
        if item.camera not in self._wanted():
            return
        camera = self._cameras.setdefault(item.camera, _Camera())
        shown = camera.pairing.detections(item, time.monotonic())
        if shown is not None:
            self._show(camera, *shown)

    def _show(self, camera: _Camera, waiting: PendingFrame[Jpegs], found: DetectionsItem | None) -> None:
        item = waiting.frame
        due = self._due(camera, item)
        if not due:
            return
        jpegs = waiting.picture if waiting.picture is not None else self._encode(camera, item, found, due)
        if jpegs is None:
            return
        camera.shown_at = time.monotonic()
        for width in due & jpegs.keys():
            camera.pacers[width].took(item.captured_ns)
            self._publish(Picture(item, found, width, jpegs[width]))

    def _fps(self, camera: str) -> float:
        return max(self._wanted().get(camera, {}).values(), default=1.0)

    def _due(self, camera: _Camera, item: FrameItem) -> set[int]:
        wanted = self._wanted().get(item.camera, {})
        return {
            width
            for width, fps in wanted.items()
            if camera.pacers.setdefault(width, Pacer()).due(item.captured_ns, fps)
        }

    def _encode(
        self, camera: _Camera, item: FrameItem, found: DetectionsItem | None, widths: set[int] | None = None
    ) -> Jpegs | None:
        wanted = widths or set(self._wanted().get(item.camera, {}))
        try:
            jpegs = encode(item, found, wanted, self._pool, quality=self._quality)
        except FrameGoneError:
            camera.gone_in_a_row += 1
            if camera.gone_in_a_row >= _GONE_IN_A_ROW:
                camera.gone_in_a_row = 0
                camera.ahead_until = time.monotonic() + _AHEAD_FOR_S
            return None
        except VigieError as error:
            if (held := self._quiet.ready(item.camera)) is not None:
                log.warning("picture_not_made", camera=item.camera, reason=str(error), more=held)
            return None
        camera.gone_in_a_row = 0
        self._made.labels(item.camera).inc(len(set(map(id, jpegs.values()))))
        self._bytes.labels(item.camera).inc(sum({id(jpeg): len(jpeg) for jpeg in jpegs.values()}.values()))
        return jpegs

    def _forget_unwatched(self) -> None:
        wanted = self._wanted()
        with self._lock:
            for name in [name for name in self._cameras if name not in wanted]:
                del self._cameras[name]
            self._pool.sweep()
