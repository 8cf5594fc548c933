"""One camera at work: opens its source, stamps frames, paces them, hands them on, and comes back when it is lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.frames import FrameItem
from vigie.errors import VigieError
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.thread_names import show_thread_name
from vigie_camera.backoff import Backoff
from vigie_camera.config import CameraSettings
from vigie_camera.frozen import FrozenPicture
from vigie_camera.pace import Pacer, Rhythm
from vigie_camera.ports import Port
from vigie_camera.preview import Preview
from vigie_camera.snapshots import SnapshotDesk
from vigie_camera.sources import Source, SourcePlan
from vigie_camera.sources.registry import OpenContext
from vigie_camera.status import CameraMetrics, CameraStatus

log = get_logger("camera")

_ROOM_POLL_S = 0.2
_SLOT_POLL_S = 0.002
# Slots that are not references on their way: one is being written, one may be read by somebody else (a viewer).
_SPARE_SLOTS = 2


def rhythm_of(settings: CameraSettings, plan: SourcePlan) -> Rhythm:
    """What ``pace`` means for this source: a live one cannot be asked to wait or to hurry."""
    if plan.live:
        return "live"
    if settings.pace == "auto":
        return "realtime" if plan.endless else "max"
    return settings.pace


class Capture:
    """The life of one camera under one configuration; ``run`` is the body of its thread."""

    def __init__(
        self,
        settings: CameraSettings,
        status: CameraStatus,
        port: Port,
        output: Output[FrameItem],
        *,
        boot: str,
        numbers: Iterator[int],
        opening: OpenContext,
        metrics: CameraMetrics,
        preview: Preview | None = None,
    ) -> None:
        """``numbers``: the camera's ``seq``, going on where the configuration before left off."""
        self.status = status
        self.snapshots = SnapshotDesk()
        self._name, self._plan = status.name, status.plan
        self._settings, self._port, self._output = settings, port, output
        self._boot, self._numbers, self._opening, self._metrics = boot, numbers, opening, metrics
        self._preview = preview
        self._rhythm = rhythm_of(settings, self._plan)
        self._keep = self._rhythm == "max"
        self._stop = threading.Event()
        self._poke = threading.Event()
        self._again = False
        self._taken = 0
        self._frozen = FrozenPicture()
        self._still_s = 0.0
        self._period_s = 0.0

    def stop(self) -> None:
        """End soon: at once unless FFmpeg waits for the camera, then with its time-out. From any thread."""
        self.status.retire()
        self._stop.set()
        self._poke.set()

    def reconnect(self) -> None:
        """Close the source and open it again now; also wakes a finished camera. From any thread."""
        self._again = True
        self._poke.set()

    def run(self, predecessor: threading.Thread | None = None) -> None:
        """Work until ``stop``. ``predecessor``: this camera's thread before; it has the ring until it ends."""
        show_thread_name(f"camera.{self._name}")
        if predecessor is not None:
            predecessor.join()
        backoff = Backoff(random.random)
        try:
            while not self._stop.is_set():
                self._again = False
                self._poke.clear()
                if self._stop.is_set():
                    break
                began = time.monotonic()
                try:
                    finished = self._open_and_stream()
                except VigieError as error:
                    self._fail(str(error), backoff, time.monotonic() - began)
                except Exception as error:
                    # One camera's trouble never ends the others: said once with its trace, then tried again.
                    log.exception("camera_trouble", camera=self._name)
                    self._fail(f"{type(error).__name__}: {error}", backoff, time.monotonic() - began)
                else:
                    if finished:
                        log.info("camera_finished", camera=self._name, frames=self._taken)
                        self.status.enter("finished", "all frames were captured")
                        self._poke.wait()
                        self._taken = 0
        finally:
            self._port.close()

    def _fail(self, reason: str, backoff: Backoff, lasted_s: float) -> None:
        backoff.streamed(lasted_s)
        pause_s = backoff.next_s()
        if not self._stop.is_set():
            shown = self._plan.shown
            log.warning("camera_failed", camera=self._name, source=shown, reason=reason, retry_s=round(pause_s, 2))
            self.status.enter("failed", reason)
        self._poke.wait(pause_s)

    def _open_and_stream(self) -> bool:
        """True: the source's frames are all captured. False: asked to stop or to begin again."""
        if self.status.state == "finished" or not self.status.reason:
            self.status.enter("connecting")
        opening = OpenContext(self._opening.secrets, self._opening.environ, FrozenPicture.limit_s(self._period_s))
        source = self._plan.open(opening)
        try:
            self._period_s = source.period_s
            self._frozen, self._still_s = FrozenPicture(), 0.0
            self.status.opened(source.period_s)
            log.info("camera_opened", camera=self._name, source=self._plan.shown, kind=self._plan.kind)
            return self._stream(source)
        finally:
            source.close()

    def _stream(self, source: Source) -> bool:
        pacer = Pacer(self._rhythm, self._settings.fps)
        while not self._poke.is_set():
            if self._keep and not self._room():
                continue
            media_s = source.grab()
            if media_s is None:
                if not (self._settings.loop and source.rewind()):
                    return True
                pacer.restart()
                continue
            if not pacer.admits(media_s):
                continue
            wait_s = pacer.wait_s(media_s, time.monotonic())
            if wait_s and self._poke.wait(wait_s):
                break
            self._take(source)
            if self._settings.frames is not None and self._taken >= self._settings.frames:
                return True
        return False

    def _room(self) -> bool:
        """A frame that must be kept is not even decoded before there is room for it on the way."""
        limit = self._settings.slots - _SPARE_SLOTS
        return self._output.wait_for_room(self._stop, _ROOM_POLL_S, key=self._name, limit=limit)

    def _take(self, source: Source) -> None:
        captured_at, captured_ns = datetime.now(UTC), time.monotonic_ns()
        put = self._port.put(source, self._look)
        while put is None and self._keep and not self._poke.wait(_SLOT_POLL_S):
            put = self._port.put(source, self._look)
        seq = next(self._numbers)
        self._taken += 1
        if put is None:
            self.status.frame(source.size_hw(), self._still_s)
            self._metrics.dropped("ring_full", self._name)
            return
        pixels, hw = put
        self.status.frame(hw, self._still_s)
        item = FrameItem(
            camera=self._name,
            seq=seq,
            trace=f"{self._name}-{self._boot}-{seq}",
            captured_at=captured_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            captured_ns=captured_ns,
            frame_hw=hw,
            pixels=pixels,
            keep=self._keep,
        )
        if self._preview is not None:
            self._preview.show(item)
        superseded = self._output.offer(item, key=self._name, keep=self._keep)
        if superseded is not None:
            self._port.release(superseded.pixels)

    def _look(self, frame_bgr: NDArray[np.uint8]) -> None:
        self.snapshots.look(frame_bgr)
        if self._plan.live:
            self._still_s = self._frozen.still_for_s(frame_bgr, time.monotonic())
