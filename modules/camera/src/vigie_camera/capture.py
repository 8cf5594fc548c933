"""One camera at work: opens its source, comes back when it is lost, and ends when it is finished."""

from __future__ import annotations

import random
import threading
import time
from typing import Literal

from vigie.errors import VigieError
from vigie.log import get_logger
from vigie.plurals import counted
from vigie.thread_names import show_thread_name
from vigie_camera.backoff import Backoff
from vigie_camera.cause import Cause
from vigie_camera.clip_desk import ClipDesk
from vigie_camera.config import CameraSettings
from vigie_camera.connect import HostUnknownError, ca_file
from vigie_camera.decode.accelerators import present
from vigie_camera.decode.backend import VideoOptions
from vigie_camera.decode.decoder_process import Nursery
from vigie_camera.decode.wire import Ended, Task
from vigie_camera.pace import Rhythm
from vigie_camera.session import DecoderSession, SourceLostError, Station
from vigie_camera.snapshots import SnapshotDesk
from vigie_camera.source_policy import SourcePolicy
from vigie_camera.sources import SourcePlan
from vigie_camera.sources.registry import Kind, OpenContext
from vigie_camera.status import CameraStatus

log = get_logger("camera")

_TASK_KINDS: dict[Kind, Literal["video", "web", "synthetic", "device"]] = {
    "web": "web", "synthetic": "synthetic", "v4l2": "device",
}  # fmt: skip
# Longer than an opening takes to time out.
_PREDECESSOR_S = 15.0


def rhythm_of(settings: CameraSettings, plan: SourcePlan) -> Rhythm:
    """What ``pace`` means for this source: a live one cannot be asked to wait or to hurry."""
    if plan.live:
        return "live"
    if settings.pace == "auto":
        return "realtime" if plan.endless else "max"
    return settings.pace


def task_for(
    name: str, plan: SourcePlan, settings: CameraSettings, address: str, options: VideoOptions, *, policy: SourcePolicy
) -> Task:
    """What a decoder is told about the camera ``name``. ``address``: with its secrets in place."""
    return Task(
        name,
        _TASK_KINDS.get(plan.kind, "video"),
        address,
        options,
        rhythm_of(settings, plan),
        settings.fps,
        settings.loop,
        settings.frames,
        tuple(mask for _, mask in sorted(settings.masks.items())),
        settings.interval_s,
        policy.words,
        settings.motion,
        settings.clips,
        settings.tamper,
    )


def hardware_doubt(cause: Cause | None, decoder: str | None) -> str:
    """Why a camera that was lost by ``cause`` is opened without hardware next time; empty: with it again.

    A driver that hangs or takes its process along must not keep a camera dark.
    Args: decoder: what decoded it, None: it never opened, and may have hung in the driver.
    """
    if decoder is None and cause in (Cause.TIMEOUT, Cause.STALLED, Cause.DECODE, None):
        return "the camera did not open with hardware"
    if decoder is not None and "hardware" in decoder and cause is Cause.DECODE:
        return "decoding by hardware failed"
    return ""


class Capture:
    """The life of one camera under one configuration; ``run`` is the body of its thread."""

    def __init__(self, station: Station, nursery: Nursery, opening: OpenContext) -> None:
        """Nothing is started yet."""
        self._station, self._nursery, self._opening = station, nursery, opening
        self._decoder_pid: int | None = None
        self._former_stays = not station.settings.masks
        self._hardware_doubt = ""

    @property
    def status(self) -> CameraStatus:
        return self._station.status

    @property
    def plan(self) -> SourcePlan:
        return self._station.plan

    @property
    def snapshots(self) -> SnapshotDesk:
        return self._station.snapshots

    @property
    def clips(self) -> ClipDesk | None:
        """None: the twin does not have this camera's packets kept."""
        return None if self._station.settings.clips is None else self._station.clips

    @property
    def decoder_pid(self) -> int | None:
        """The process that decodes this camera now."""
        return self._decoder_pid

    def stop(self) -> None:
        """End now: a decoder's process is killed, whatever it waits for. From any thread."""
        self.status.retire()
        self._station.clips.close()
        self._station.stop.set()
        self._station.poke.set()

    def reconnect(self) -> None:
        """Close the source and open it again now; also wakes a finished camera. From any thread."""
        self._station.poke.set()

    def run(self, predecessor: threading.Thread | None = None) -> None:
        """Work until ``stop``. ``predecessor``: this camera's thread before; it has the ring until it ends."""
        station = self._station
        show_thread_name(f"camera.{station.name}")
        if predecessor is not None:
            self._wait_for(predecessor)
        backoff = Backoff(random.random)
        try:
            while not station.stop.is_set():
                station.poke.clear()
                if station.stop.is_set():
                    break
                try:
                    ended = self._open_and_stream()
                except SourceLostError as error:
                    self._fail(error.cause, error.reason, backoff, crashed=error.crashed)
                except HostUnknownError as error:
                    self._fail(Cause.DNS, str(error), backoff)
                except VigieError as error:
                    self._fail(None, str(error), backoff)
                except Exception as error:
                    # One camera's trouble never ends the others: said once with its trace, then tried again.
                    log.exception("camera_trouble", camera=station.name)
                    self._fail(None, f"{type(error).__name__}: {error}", backoff)
                else:
                    if ended is not None:
                        self._finish(ended)
                        station.poke.wait(None)
        finally:
            station.port.close()
            station.poke.close()

    def _wait_for(self, predecessor: threading.Thread) -> None:
        """Until the camera's former thread has ended; one that hangs (a mount that is away) is given up."""
        stop, deadline = self._station.stop, time.monotonic() + _PREDECESSOR_S
        while predecessor.is_alive() and not stop.is_set() and time.monotonic() < deadline:
            predecessor.join(0.2)
        if predecessor.is_alive() and not stop.is_set():
            log.warning("camera_former_hangs", camera=self._station.name, waited_s=_PREDECESSOR_S)

    def _open_and_stream(self) -> Ended | None:
        """What the source said at its end. None: asked to stop or to begin again."""
        station = self._station
        if station.status.state == "finished" or not station.status.reason:
            station.status.enter("connecting")
        if not self._former_stays:
            station.port.forget_former()
            self._former_stays = True
        station.patience.open(time.monotonic())
        address = station.plan.resolve(self._opening)
        trusted = ca_file(self._opening.secrets)
        options = station.plan.options(
            station.settings, station.patience.read_s, trusted, hardware_doubt=self._hardware_doubt
        )
        task = task_for(station.name, station.plan, station.settings, address, options, policy=self._opening.policy)
        process = self._nursery.start(task)
        self._decoder_pid = process.pid
        session = DecoderSession(station, process, open_s=options.open_timeout_s)
        try:
            return session.run()
        except SourceLostError as error:
            if options.decoding == "auto" and not options.doubt and present():
                self._hardware_doubt = hardware_doubt(error.cause, session.decoder)
            raise
        finally:
            self._decoder_pid = None
            station.port.take_back(trusted=process.kill())

    def _finish(self, ended: Ended) -> None:
        station = self._station
        damaged = ended.refused + ended.corrupt
        words = "all frames were captured"
        if damaged or ended.ended_early:
            early = ", and the file breaks off before its end" if ended.ended_early else ""
            words = (
                f"{counted(ended.frames, 'frame')} captured; {damaged} damaged ({ended.refused} not decoded, "
                f"{ended.corrupt} show wrong pixels){early}"
            )
            log.warning(
                "file_damaged",
                camera=station.name,
                source=station.plan.shown,
                frames=ended.frames,
                undecodable=ended.refused,
                corrupt=ended.corrupt,
                promised=ended.promised,
                ended_early=ended.ended_early,
            )
        log.info("camera_finished", camera=station.name, frames=ended.frames, damaged=damaged)
        station.status.enter("finished", words)

    def _fail(self, cause: Cause | None, reason: str, backoff: Backoff, *, crashed: bool = False) -> None:
        station = self._station
        backoff.streamed(station.patience.streamed_s)
        pause_s = backoff.after_crash_s() if crashed else backoff.next_s()
        if not station.stop.is_set():
            log.warning(
                "camera_failed",
                camera=station.name,
                source=station.plan.shown,
                cause=cause,
                reason=reason,
                retry_s=round(pause_s, 2),
            )
            station.status.enter("failed", reason, cause)
        station.poke.wait(pause_s)
