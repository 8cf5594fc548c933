"""Keeps what sync asks for: the very frame, out of the camera's ring; the best so far, in memory; clips."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from vigie.contracts import envelope, names
from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie.contracts.evidence import About
from vigie.contracts.frames import FrameItem
from vigie.contracts.keep import KeepClip, KeepHeld, KeepItem, KeepPicture
from vigie.contracts.samples import Sample
from vigie.drop_reason import DropReason
from vigie.errors import FrameGoneError, MethodRefusedError, VigieError
from vigie.frames import RingPool
from vigie.frames.picture import lease_frame
from vigie.frames.shown import how_blurred, shown_bgr
from vigie.log import OncePer, get_logger
from vigie.service import InputQueue, Service
from vigie_camera.cameras import Cameras
from vigie_camera.clip_desk import FinishedClip, give_back
from vigie_camera.clip_store import memory_chunks
from vigie_camera.config import CameraConfig
from vigie_camera.evidence_picture import encode
from vigie_camera.evidence_store import EvidenceFolder
from vigie_camera.recent import Recent

log = get_logger("camera.keep")

_POLL_S = 0.5
_CLIP_WAIT_S = 6.0
_CLIPS_AT_A_TIME = 4
_HELD_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class _Picture:
    """``suffix``: of the name, by style."""

    suffix: str
    jpeg: bytes
    facts: dict[str, Any]


class Keeper:
    """``run`` is the body of a thread, which has the pixels; clips wait on threads of their own."""

    def __init__(
        self, service: Service[CameraConfig], cameras: Cameras, recent: Recent, folder: EvidenceFolder
    ) -> None:
        """Declares the input; before ``service.start``."""
        self._service, self._cameras, self._recent, self._folder = service, cameras, recent, folder
        union: Any = KeepItem
        self._input: InputQueue[KeepItem] = service.input(names.KEEP, union, schema=envelope.KEEP)
        self._pool = RingPool(service.env.frames)
        self._lock = threading.Lock()
        self._held: OrderedDict[str, list[_Picture]] = OrderedDict()
        self._held_bytes = 0
        self._clips = threading.BoundedSemaphore(_CLIPS_AT_A_TIME)
        self._quiet = OncePer()

    def forget(self, camera: str) -> None:
        """Its settings changed: what is held may show what must be hidden now."""
        with self._lock:
            for hold in [hold for hold, held in self._held.items() if held[0].facts["camera"] == camera]:
                self._drop(hold)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set."""
        alive = self._service.health.watch("camera.keep", 60.0)
        while not stop.is_set():
            alive.beat()
            received = self._input.get(_POLL_S)
            if received is None:
                self._pool.sweep()
                continue
            for item in received.items:
                self._keep(item, stop)
            received.done()
        self._pool.close()

    def _keep(self, item: KeepItem, stop: threading.Event) -> None:
        try:
            if isinstance(item, KeepPicture):
                self._picture(item)
            elif isinstance(item, KeepHeld):
                self._settle(item)
            else:
                self._clip(item, stop)
        except FrameGoneError:
            self._dropped(
                DropReason.FRAME_GONE, item.camera, "it left the ring before sync had its detections; see slots"
            )
        except MethodRefusedError as error:
            self._dropped(DropReason.CLIP_REFUSED, item.camera, str(error))
        except (VigieError, ValueError) as error:
            self._dropped(DropReason.NOT_KEPT, item.camera, str(error))
        except OSError as error:
            self._dropped(DropReason.NOT_KEPT, item.camera, f"{self._folder.folder}: {error.strerror or error}")

    def _picture(self, item: KeepPicture) -> None:
        frame = self._recent.find(item.camera, item.seq, item.trace)
        if frame is None:
            raise FrameGoneError(item.camera, DropReason.OVERWRITTEN, f"frame {item.seq} was too long ago")
        found = _seen(item, frame)
        how = how_blurred(frame, found)
        if how == "everything" and item.sample is not None:
            self._dropped(DropReason.BLURRED, item.camera, "a sample that is blurred as a whole teaches nothing")
            return
        whole = ((0.0, 0.0, float(frame.frame_hw[1]), float(frame.frame_hw[0])),)
        hidden = {"none": (), "everything": whole, "classes": found.blur or ()}[how]
        with lease_frame(self._pool, frame.pixels) as planes:
            picture_bgr = shown_bgr(planes, frame, found, planes.size_hw)
        pictures = [
            _Picture(
                "-boxes" if style == "boxes" else "",
                encode(picture_bgr, item.boxes if style == "boxes" else ()),
                {
                    "kind": "snapshot" if item.sample is None else "sample", "camera": item.camera, "at": item.at,
                    "frame_hw": frame.frame_hw, "trace": item.trace, "boxed": style == "boxes", "hidden": hidden,
                },
            )
            for style in item.styles
        ]  # fmt: skip
        if item.hold is not None:
            self._hold(item.hold, pictures)
            return
        for one in pictures:
            self._save(f"{item.name}{one.suffix}", one, item.about, item)

    def _settle(self, item: KeepHeld) -> None:
        with self._lock:
            pictures = list(self._held.get(item.hold, []))
            self._drop(item.hold)
        if item.about is None:
            return
        if not pictures:
            self._dropped(DropReason.FRAME_GONE, item.camera, "no picture of the object was kept in time")
        for one in pictures:
            self._save(f"{item.name}{one.suffix}", one, item.about, None)

    def _hold(self, hold: str, pictures: list[_Picture]) -> None:
        with self._lock:
            self._drop(hold)
            self._held[hold] = pictures
            self._held_bytes += sum(len(one.jpeg) for one in pictures)
            while self._held_bytes > _HELD_BYTES:
                self._drop(next(iter(self._held)))

    def _drop(self, hold: str) -> None:
        self._held_bytes -= sum(len(one.jpeg) for one in self._held.pop(hold, []))

    def _save(self, name: str, picture: _Picture, about: About | None, item: KeepPicture | None) -> None:
        facts = {**picture.facts, "about": None if about is None else msgspec.to_builtins(about)}
        if item is not None and item.sample is not None:
            facts["sample"] = msgspec.to_builtins(_sample(name, item, picture))
        self._folder.save(name, ".jpg", [picture.jpeg], facts)

    def _clip(self, item: KeepClip, stop: threading.Event) -> None:
        """Raises: MethodRefusedError: this camera keeps no packets, has masks, or is not streaming."""
        capture = self._cameras.find(item.camera)
        if capture.clips is None:
            raise MethodRefusedError(409, f"keeps no packets; set $.cameras.{item.camera}.clips (not with masks)")
        if not self._clips.acquire(blocking=False):
            raise MethodRefusedError(
                409, f"{_CLIPS_AT_A_TIME} clips are already being recorded; call again when one is done"
            )
        try:
            answer = capture.clips.request(item.before_s, item.after_s)
        except BaseException:
            self._clips.release()
            raise

        def wait() -> None:
            try:
                taken = answer.result(item.after_s + _CLIP_WAIT_S)
                try:
                    self._save_clip(item, taken)
                finally:
                    os.close(taken.fd)
            except FutureTimeoutError:
                answer.cancel()
                answer.add_done_callback(give_back)
                self._dropped(DropReason.CLIP_REFUSED, item.camera, "the camera gave no clip in time")
            except MethodRefusedError as error:
                self._dropped(DropReason.CLIP_REFUSED, item.camera, str(error))
            except (OSError, ValueError) as error:
                self._dropped(DropReason.NOT_KEPT, item.camera, str(error))
            finally:
                self._clips.release()

        if not stop.is_set():
            threading.Thread(target=wait, name=f"clip.{item.camera}", daemon=True).start()

    def _save_clip(self, item: KeepClip, taken: FinishedClip) -> None:
        facts, started = taken.facts, datetime.fromtimestamp(taken.ended_wall_s - taken.facts.seconds, UTC)
        self._folder.save(
            f"{item.name}-clip",
            ".mp4",
            memory_chunks(taken.fd, facts.length),
            {
                "kind": "clip", "camera": item.camera, "frame_hw": facts.size_hw, "seconds": round(facts.seconds, 3),
                "at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "about": msgspec.to_builtins(item.about),
            },
        )  # fmt: skip

    def _dropped(self, reason: DropReason, camera: str, text: str) -> None:
        self._service.metrics.dropped(reason, camera)
        if (more := self._quiet.ready(f"{camera} {reason}")) is not None:
            log.warning("evidence_not_kept", camera=camera, reason=reason, text=text, more=more)


def _seen(item: KeepPicture, frame: FrameItem) -> DetectionsItem:
    """What sync knows of the frame, in the form that decides how it is blurred."""
    return DetectionsItem(
        item.camera, item.seq, item.trace, item.at, frame.captured_ns, frame.frame_hw, "", [],
        StageTimings(0, 0, 0), blur=item.blur,
    )  # fmt: skip


def _sample(name: str, item: KeepPicture, picture: _Picture) -> Sample:
    if item.sample is None:
        raise ValueError(name)
    return Sample(
        picture=f"{name}.jpg", sha256=hashlib.sha256(picture.jpeg).hexdigest(), camera=item.camera, trace=item.trace,
        captured_at=item.at, frame_hw=picture.facts["frame_hw"], model=item.sample.model, reasons=item.sample.reasons,
        detections=item.boxes, other=item.sample.other, hidden=picture.facts["hidden"],
    )  # fmt: skip
