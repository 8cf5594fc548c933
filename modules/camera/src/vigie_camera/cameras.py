"""The set of cameras: follows the twin one camera at a time, watches them, reports how they are."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigie.contracts.blur import BlurAnswer
from vigie.contracts.frames import FrameItem
from vigie.errors import ConfigRefusedError, MethodRefusedError, PermanentError, RingNoSpaceError
from vigie.frames import check_space, remove_dead_rings, ring_bytes
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_camera.capture import Capture, rhythm_of
from vigie_camera.clip_store import Clips
from vigie_camera.config import CameraConfig, CameraSettings
from vigie_camera.decode.choice import installed_backend
from vigie_camera.decode.decoder_process import Nursery
from vigie_camera.decode.privacy import encloses_nothing
from vigie_camera.expectation import Expectation
from vigie_camera.ports import InlinePort, RingPort, ring_prefix
from vigie_camera.preview import Preview
from vigie_camera.probe import Probe
from vigie_camera.readiness import unready
from vigie_camera.session import Station
from vigie_camera.snapshots import SnapshotDesk
from vigie_camera.source_policy import read_policy
from vigie_camera.sources import SourcePlan, plan_source
from vigie_camera.sources.registry import OpenContext, caution, refusal
from vigie_camera.status import CameraMetrics, CameraStatus
from vigie_camera.telling import Telling

log = get_logger("camera")

REPORTED = "camera_state"
_WATCH_S = 0.5
_STOP_S = 2.5
# A frame rate is reported again when it has changed by a fifth, and not more often than this.
_FPS_EVERY_S = 15.0
_NEVER_BY_HARDWARE = ("web", "synthetic", "v4l2")
# References to the frames of a camera that was removed may still be on their way: longer than their routes keep them.
_RING_LINGERS_S = 15.0


@dataclass(frozen=True, slots=True)
class _Running:
    settings: CameraSettings
    capture: Capture
    thread: threading.Thread


class Cameras:
    """Every camera has a thread of its own; nothing it does waits for another camera."""

    def __init__(
        self,
        service: Service[CameraConfig],
        output: Output[FrameItem],
        environ: Mapping[str, str],
        *,
        preview: Preview | None = None,
        telling: Telling | None = None,
    ) -> None:
        """``environ``: the device's policy for sources; secrets where no folder is mounted. ``preview``: the viewer's.
        ``telling``: where events about cameras go.

        Raises: ConfigRefusedError: a policy that cannot be read.
        """
        self._service, self._output, self._preview, self._telling = service, output, preview, telling
        self._folder = service.env.frames
        self._prefix = ring_prefix(service.env.module_id)
        self._opening = OpenContext(service.env.secrets, environ, read_policy(environ))
        self._backend = installed_backend()
        self._nursery = Nursery(self._backend)
        self.probe = Probe(self._nursery, self._opening)
        self.clips = Clips(Path(environ.get("VIGIE_CLIPS") or service.env.state / "clips"), service.env.seals)
        self._metrics = CameraMetrics(service.metrics)
        self._ready_when = CameraConfig().ready_when
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._leaving: dict[str, threading.Thread] = {}
        self._numbers: dict[str, Iterator[int]] = {}
        self._reported: dict[str, dict[str, Any]] = {}
        self._fps_at: dict[str, float] = {}
        # Also cleared up once for rings that a former start left: "" is no camera's name.
        self._left_at: dict[str, float] = {"": time.monotonic()}
        self._changed = threading.Event()

    async def apply(self, config: CameraConfig, _previous: CameraConfig | None) -> dict[str, str]:
        """Take an accepted configuration: cameras that did not change are not touched.

        Returns: what an operator should know, by property.

        Raises: ConfigRefusedError: a source that can never open, or rings that do not fit the frame folder.
        """
        plans = {name: self._planned(name, settings) for name, settings in config.cameras.items()}
        await asyncio.to_thread(self._check_space, config, plans)
        self._output.configure(linger_ms=config.linger_ms, doorbells=config.doorbells)
        if self._preview is not None:
            self._preview.configure(config.doorbells)
        self._ready_when = config.ready_when
        await asyncio.to_thread(self.clips.configure, config.clip_store)
        with self._lock:
            for name in [
                name for name, running in self._running.items() if config.cameras.get(name) != running.settings
            ]:
                self._end(name)
            for name, settings in config.cameras.items():
                if name not in self._running:
                    self._begin(name, settings, plans[name])
        self._changed.set()
        cautions = [f"{name}: {text}" for name, plan in plans.items() if (text := caution(plan))]
        return {"cameras": "; ".join(cautions)} if cautions else {}

    def watch(self, stop: threading.Event) -> None:
        """The body of the watching thread: reports, notices silence, clears up; stops all cameras at the end."""
        alive = self._service.health.watch("camera.watch", 30.0)
        while not stop.is_set():
            self._changed.wait(_WATCH_S)
            self._changed.clear()
            alive.beat()
            now = time.monotonic()
            cameras = self._snapshot()
            for running in cameras.values():
                running.capture.status.look(now)
            if self._telling is not None:
                self._telling.look({name: one.capture.status.condition() for name, one in cameras.items()}, stop)
            self._report(now)
            self._judge()
            self._clear_up(now)
            stop.wait(0.05)
        with self._lock:
            for name in list(self._running):
                self._end(name)
            threads = list(self._leaving.values())
        deadline = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._nursery.close()

    def find(self, name: str) -> Capture:
        """Raises: MethodRefusedError: 404, there is no such camera."""
        running = self._snapshot().get(name)
        if running is None:
            known = ", ".join(sorted(self._snapshot())) or "none"
            raise MethodRefusedError(404, f"$.camera: no camera '{name}'; there are: {known}")
        return running.capture

    def hear_blur(self, told: BlurAnswer) -> None:
        """Inference has said where the classes to blur are in a frame that a snapshot waits for. From any thread."""
        running = self._snapshot().get(told.camera)
        if running is not None:
            running.capture.snapshots.tell(told)

    def restart(self, name: str) -> str:
        """Begin ``name`` anew, as if it had just come into the twin. Returns: its state before.

        Raises: MethodRefusedError: 404.
        """
        state = self.find(name).status.state
        with self._lock:
            running = self._running.get(name)
            if running is not None:
                self._end(name)
                self._begin(name, running.settings, running.capture.plan)
        self._changed.set()
        return state

    def describe(self) -> dict[str, dict[str, Any]]:
        """Every camera's state, for ``list_cameras``."""
        return {name: running.capture.status.describe() for name, running in sorted(self._snapshot().items())}

    def _snapshot(self) -> dict[str, _Running]:
        with self._lock:
            return dict(self._running)

    def _begin(self, name: str, settings: CameraSettings, plan: SourcePlan) -> None:
        status = CameraStatus(
            name,
            plan,
            rhythm_of(settings, plan),
            self._metrics,
            self._changed.set,
            masks=settings.masks,
            blur=settings.blur,
        )
        port = (
            InlinePort()
            if settings.transport == "inline"
            else RingPort(self._folder, self._prefix + name, settings.slots)
        )
        station = Station(
            name,
            plan,
            settings,
            status,
            port,
            self._output,
            self._metrics,
            self._service.env.boot,
            self._numbers.setdefault(name, itertools.count()),
            keep=rhythm_of(settings, plan) == "max",
            preview=self._preview,
            expectation=Expectation(settings.expect, settings.fps),
            snapshots=SnapshotDesk(blurs=bool(settings.blur)),
        )
        capture = Capture(station, self._nursery, self._opening)
        thread = threading.Thread(
            target=capture.run, args=(self._leaving.get(name),), name=f"camera.{name}", daemon=True
        )
        self._running[name] = _Running(settings, capture, thread)
        thread.start()
        log.info("camera_added", camera=name, source=plan.shown, kind=plan.kind, pace=rhythm_of(settings, plan))

    def _end(self, name: str) -> None:
        running = self._running.pop(name)
        running.capture.stop()
        self._leaving[name] = running.thread
        log.info("camera_removed", camera=name)

    def _judge(self) -> None:
        troubles = {name: running.capture.status.trouble for name, running in self._snapshot().items()}
        reason = unready(self._ready_when, troubles)
        if reason is None:
            self._service.health.ready("cameras")
        else:
            self._service.health.not_ready("cameras", reason)

    def _report(self, now: float) -> None:
        patch: dict[str, Any] = {}
        current = self.describe()
        for name, state in current.items():
            before = self._reported.get(name)
            if before is None or _differs(before, state) or self._fps_is_news(name, before, state, now):
                patch[name] = self._reported[name] = state
                self._fps_at[name] = now
        for name in [name for name in self._reported if name not in current]:
            patch[name] = None
            del self._reported[name]
            self._metrics.forget(name)
        if patch:
            self._service.twin.report({REPORTED: patch})

    def _fps_is_news(self, name: str, before: dict[str, Any], state: dict[str, Any], now: float) -> bool:
        changed = abs(state["fps"] - before["fps"]) > 0.2 * max(1.0, float(before["fps"]))
        first = before["fps"] == 0
        return changed and (first or now - self._fps_at[name] >= _FPS_EVERY_S)

    def _clear_up(self, now: float) -> None:
        """Rings of cameras that are gone, also of those that a former start of the module left, go too."""
        with self._lock:
            for name, thread in list(self._leaving.items()):
                if not thread.is_alive():
                    del self._leaving[name]
                    self._left_at[name] = now
            due = [name for name, left in self._left_at.items() if now - left >= _RING_LINGERS_S]
            keep = {self._prefix + name for name in (*self._running, *self._leaving)}
        if due:
            remove_dead_rings(self._folder, self._prefix, keep=keep)
            for name in due:
                del self._left_at[name]

    def _planned(self, name: str, settings: CameraSettings) -> SourcePlan:
        for mask, drawn in settings.masks.items():
            if encloses_nothing(drawn.points):
                raise ConfigRefusedError(
                    f"$.cameras.{name}.masks.{mask}.points", "these corners enclose nothing, so nothing would be hidden"
                )
        if settings.clips is not None and settings.masks:
            raise ConfigRefusedError(
                f"$.cameras.{name}.clips",
                "this camera has masks, and a clip is what the camera sent, without them; remove clips or masks",
            )
        if settings.clips is not None and settings.blur:
            raise ConfigRefusedError(
                f"$.cameras.{name}.clips",
                "this camera has classes blurred, and a clip is what the camera sent; remove clips or blur",
            )
        path = f"$.cameras.{name}.source"
        try:
            plan = plan_source(settings.source, tls_verify=settings.tls_verify)
        except PermanentError as error:
            raise ConfigRefusedError(path, str(error)) from error
        if settings.width_max is not None and (plan.kind == "synthetic" or self._backend != "pyav"):
            why = (
                "a scene's size is in its address (?size=640x360)" if plan.kind == "synthetic" else "needs decoder pyav"
            )
            raise ConfigRefusedError(f"$.cameras.{name}.width_max", why)
        if settings.decoding != "software" and (plan.kind in _NEVER_BY_HARDWARE or self._backend != "pyav"):
            raise ConfigRefusedError(
                f"$.cameras.{name}.decoding", "only video files and RTSP streams, with decoder pyav; leave it out"
            )
        if refused := refusal(plan, self._opening.policy, self._opening.store):
            raise ConfigRefusedError(path, refused)
        return plan

    def _check_space(self, config: CameraConfig, plans: Mapping[str, SourcePlan]) -> None:
        """Ask for the memory of all rings whose frame size is known by now, before any camera is touched."""
        needed = 0
        for name, settings in config.cameras.items():
            size_hw = plans[name].size_hw
            if size_hw is not None and settings.transport == "shared":
                existing = sum(path.stat().st_size for path in self._folder.glob(f"{self._prefix}{name}.*.ring"))
                needed += max(0, ring_bytes(slots=settings.slots, slot_bytes=size_hw[0] * size_hw[1] * 3) - existing)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            check_space(self._folder, needed)
        except RingNoSpaceError as error:
            raise ConfigRefusedError("$.cameras", str(error)) from error
        except OSError as error:
            raise ConfigRefusedError(
                "$.cameras", f"the frame folder {self._folder} cannot be used ({error.strerror}); see VIGIE_FRAMES"
            ) from error


def _differs(before: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    return any(before[key] != state[key] for key in state if key != "fps")
