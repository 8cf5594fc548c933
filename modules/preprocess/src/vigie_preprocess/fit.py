"""The preprocess stage: frames in, tensors fitted to the input spec of the model that serves the camera out."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Any

import cv2
import msgspec

from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec, NamedSpec, SampledSpec
from vigie.contracts.lanes import lane_of
from vigie.contracts.pixels import RingReference
from vigie.contracts.tensors import TensorItem, View
from vigie.drop_reason import DropReason
from vigie.errors import FrameGoneError, PermanentError, RingBusyError, RingNoSpaceError
from vigie.frames import RingPool
from vigie.frames.picture import lease_frame
from vigie.log import get_logger
from vigie.messaging.inputs import InputQueue
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.holds import Holds
from vigie_preprocess.regions import KEPT_AT_A_TIME, REPORTED, Regions, check_regions
from vigie_preprocess.tensors import CHANNELS, TensorRings
from vigie_preprocess.views import fit_views, region_of

log = get_logger("preprocess")

AnySpec = InputSpec | NamedSpec | SampledSpec

# One wait for frames: also the reaction time to a new input spec or configuration when no frames flow.
POLL_S = 0.2
# Of a model on trial: more than inference lets wait.
TRIAL_SLOTS = 8
# Frames of a camera that wait or are on their way for one of them.
TRIALS_AT_A_TIME = 2
# Far beyond any resize: only a thread that hangs is silent this long.
STALLED_AFTER_S = 30.0


class FitStage:
    """Fits frames on one worker thread; configuration is replaced as a whole, never patched."""

    def __init__(
        self,
        service: Service[PreprocessConfig],
        frames: InputQueue[FrameItem],
        specs: InputQueue[InputSpec],
        tensors: Output[TensorItem],
    ) -> None:
        """Made before ``service.start``."""
        self._service = service
        self._frames, self._specs, self._tensors = frames, specs, tensors
        self._folder, self._tensors_folder = service.env.frames, service.env.tensors
        self._config = PreprocessConfig()
        self._spec: InputSpec | None = None
        # Cameras that are served by another model than the main one.
        self._by_camera: dict[str, NamedSpec] = {}
        # Models that see frames which another one answers as well.
        self._beside: tuple[NamedSpec, ...] = ()
        self._regions = Regions()
        self._told: dict[str, Any] = {}
        self._alive = service.health.watch("preprocess.fit", STALLED_AFTER_S)
        self._fitted = service.metrics.counter("vigie_frames_preprocessed", "Frames fitted.", ("camera",))

    async def apply(self, config: PreprocessConfig, _previous: PreprocessConfig | None) -> None:
        """Take an accepted configuration; it counts from the next frame on.

        Raises: ConfigRefusedError: a region that shows nothing.
        """
        check_regions(config.regions)
        self._config = config
        self._tensors.configure(
            linger_ms=config.linger_ms, max_outstanding=config.slots - 2, doorbells=config.doorbells
        )

    @property
    def spec(self) -> InputSpec | None:
        """The input spec followed now; ``None`` until inference has published one."""
        return self._spec

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set: the body of the worker thread."""
        # One resize is too short to share: OpenCV's pool spins longer than it helps (VGA to 416: 1.1 against 0.8 ms of
        # CPU in the same time), and the other core belongs to the other modules.
        cv2.setNumThreads(1)
        with RingPool(self._folder) as pool, closing(Holds(pool)) as holds, TensorRings(self._tensors_folder) as rings:
            while not stop.is_set():
                self._alive.beat()
                self._follow_specs()
                self._follow_regions(rings)
                holds.expire()
                received = self._frames.get(POLL_S)
                if received is None:
                    pool.sweep()  # rings whose writer has moved on would keep their memory
                    continue
                with self._tensors.together(len(received.items)):
                    for item in received.items:
                        trials = self._trials_of(item, rings, stop)
                        self._fit_or_drop(item, pool, rings, holds, stop, paired=bool(trials))
                        self._fit_for_trials(trials, item, pool, rings)
                if not stop.is_set():
                    received.done()

    def _follow_specs(self) -> None:
        while (received := self._specs.get(0.0)) is not None:
            for spec in received.items:
                if self._spec is None or spec.version != self._spec.version:
                    log.info("input_spec_followed", version=spec.version, size_hw=spec.size_hw, align=spec.align)
                    self._service.twin.report({"input_spec": spec.version or None})
                if spec.others != (() if self._spec is None else self._spec.others):
                    self._follow_others(spec.others)
                self._spec = spec
            received.done()

    def _follow_others(self, others: tuple[NamedSpec, ...]) -> None:
        """Other models serve some cameras, or other cameras than before."""
        for spec in others:
            log.info("named_spec_followed", model=spec.named, version=spec.version, cameras=" ".join(spec.cameras))
        self._by_camera = {camera: spec for spec in others if not spec.beside for camera in spec.cameras}
        self._beside = tuple(spec for spec in others if spec.beside)
        self._service.twin.report_whole("input_specs", {spec.named: spec.version for spec in others})

    def _spec_of(self, camera: str) -> InputSpec | NamedSpec | None:
        """What frames of ``camera`` are fitted to; None: no model serves it, or nothing is known of one yet."""
        named = self._by_camera.get(camera)
        if named is not None:
            return named
        return None if self._spec is None or not self._spec.version else self._spec

    def _follow_regions(self, rings: TensorRings) -> None:
        """Take regions that the twin has changed, tell what is in force, and give back rings that nobody uses now."""
        regions = self._config.regions
        if self._regions.take(regions):
            log.info("regions_followed", cameras=" ".join(regions) or "none")
            rings.retire(self._regions.counts())
        rings.keep_seats(set() if self._spec is None else {spec.named for spec in self._spec.others})
        if rings.to_sweep and not self._tensors.outstanding:
            rings.sweep()
        state = self._regions.state(self._spec_of)
        if state != self._told:
            gone = {camera: None for camera in self._told if camera not in state}
            self._service.twin.report({REPORTED: {**state, **gone}})
            self._told = state

    def _fit_or_drop(
        self, item: FrameItem, pool: RingPool, rings: TensorRings, holds: Holds, stop: threading.Event, *, paired: bool
    ) -> None:
        """``paired``: a model on trial gets this frame as well, so it must not be left out for a newer one."""
        if not self._ready_for(item, stop):
            return
        holds.take(item)
        sent, superseded = self._offer(self._spec_of(item.camera), item.camera, item, pool, rings=rings, paired=paired)
        if superseded is not None:
            holds.drop(superseded.camera, superseded.trace)
        if sent:
            self._fitted.labels(item.camera).inc()
            holds.shorten(item.camera, self._tensors.outstanding_of(item.camera))
        else:
            holds.drop(item.camera, item.trace)
        for spec in self._beside:
            lane = lane_of(item.camera, spec.named)
            if (spec.cameras and item.camera not in spec.cameras) or not self._room_for(item, lane, stop):
                continue
            self._offer(spec, lane, item, pool, rings=rings, paired=paired)

    def _offer(
        self,
        spec: InputSpec | NamedSpec | None,
        lane: str,
        item: FrameItem,
        pool: RingPool,
        *,
        rings: TensorRings,
        paired: bool,
    ) -> tuple[bool, TensorItem | None]:
        """Whether a tensor of the frame is on its way, and which one it superseded."""
        tensor = self._fit(spec, item, pool, rings)
        if isinstance(tensor, DropReason):
            self._service.metrics.dropped(tensor, lane)
            log.debug("frame_dropped", camera=lane, seq=item.seq, reason=tensor)
            return False, None
        weight = min(10.0, max(0.1, item.weight))  # whatever a message says, nobody starves
        superseded = self._tensors.offer(tensor, key=lane, keep=item.keep or paired, weight=weight)
        if superseded is not None:
            rings.release(superseded.pixels)
        return True, superseded

    def _trials_of(self, item: FrameItem, rings: TensorRings, stop: threading.Event) -> list[SampledSpec]:
        """The models on trial that get this frame too; without room it is left out.

        Each goes its own way, with a few frames on it: where the CPUs do not suffice, the serving model's are not held
        up behind them.
        """
        wanted = () if self._spec is None else self._spec.also
        rings.remove_trials({spec.named for spec in wanted})
        named = self._by_camera.get(item.camera)
        due = []
        for spec in wanted:
            # The main model's trial compares with what that one sees; a seat's with who serves its cameras now.
            if (spec.named and spec.cameras and item.camera not in spec.cameras) or (named and not spec.named):
                continue
            if item.seq % spec.every or not self._tensors.wait_for_room(stop, 0.0):
                continue
            if self._tensors.wait_for_room(stop, 0.0, key=_trial_lane(item.camera, spec), limit=TRIALS_AT_A_TIME):
                due.append(spec)
        return due

    def _fit_for_trials(self, trials: list[SampledSpec], item: FrameItem, pool: RingPool, rings: TensorRings) -> None:
        for spec in trials:
            try:
                tensor = self._fit_to(spec, TRIAL_SLOTS, item, pool, rings, trial=True)
            except (FrameGoneError, RingNoSpaceError, RingBusyError, PermanentError) as error:
                log.debug("trial_frame_left_out", camera=item.camera, seq=item.seq, reason=str(error))
                continue
            if tensor is not None:
                tensor = msgspec.structs.replace(tensor, keep=False, trial=True)
                self._tensors.offer(tensor, key=_trial_lane(item.camera, spec), keep=True)

    def _ready_for(self, item: FrameItem, stop: threading.Event) -> bool:
        """A frame to keep waits for an input spec and for room downstream; false only when stopping."""
        while item.keep and not stop.is_set():
            if (
                self._spec_of(item.camera) is not None
                and self._tensors.wait_for_room(stop, POLL_S)
                and self._ring_has_room(item, item.camera, stop)
            ):
                return True
            self._alive.beat()
            self._follow_specs()
            if self._spec_of(item.camera) is None:
                stop.wait(0.02)
        return not stop.is_set()

    def _room_for(self, item: FrameItem, lane: str, stop: threading.Event) -> bool:
        """A frame to keep waits for room for its next tensor too; false only when stopping."""
        while item.keep and not stop.is_set():
            if self._tensors.wait_for_room(stop, POLL_S) and self._ring_has_room(item, lane, stop):
                return True
            self._alive.beat()
        return not stop.is_set()

    def _ring_has_room(self, item: FrameItem, lane: str, stop: threading.Event) -> bool:
        """The ring of a camera that is looked at in several views has few slots."""
        if not self._regions.tiled(item.camera):
            return True
        return self._tensors.wait_for_room(stop, POLL_S, key=lane, limit=KEPT_AT_A_TIME)

    def _fit(
        self, spec: InputSpec | NamedSpec | None, item: FrameItem, pool: RingPool, rings: TensorRings
    ) -> TensorItem | DropReason:
        """The fitted tensor, or the reason why there is none."""
        if spec is None:
            return DropReason.NO_INPUT_SPEC
        try:
            tensor = self._fit_to(spec, self._config.slots, item, pool, rings)
        except FrameGoneError as error:
            return error.reason
        except (RingNoSpaceError, RingBusyError) as error:
            # An operator sees it in /readyz with the size needed or the other writer; per frame it is only counted.
            self._service.health.not_ready("preprocess.ring", str(error))
            return DropReason.NO_SPACE if isinstance(error, RingNoSpaceError) else DropReason.RING_BUSY
        except PermanentError as error:
            log.warning("frame_refused", camera=item.camera, seq=item.seq, reason=str(error))
            return DropReason.UNDECODABLE
        self._service.health.ready("preprocess.ring")
        return tensor or DropReason.RING_FULL

    def _fit_to(
        self,
        spec: AnySpec,
        slots: int,
        item: FrameItem,
        pool: RingPool,
        rings: TensorRings,
        *,
        trial: bool = False,
    ) -> TensorItem | None:
        """None: the ring is full. Raises: FrameGoneError, RingNoSpaceError, RingBusyError, PermanentError."""
        with lease_frame(pool, item.pixels) as frame:
            boxes = self._regions.views(item.camera, frame.size_hw, spec) or ((0, 0, *frame.size_hw[::-1]),)
            if len(boxes) > 1 and not trial:
                slots = self._regions.slots(item.camera)
            ring = rings.open(spec.size_hw, slots, len(boxes), trial=trial, named=_seat(spec))
            shape = (*spec.size_hw, CHANNELS)
            with ring.slot(shape if len(boxes) == 1 else (len(boxes), *shape)) as slot:
                if slot is None:
                    return None
                views = fit_views(frame, boxes, item.frame_hw, spec, slot.array.reshape(len(boxes), *shape))
                return self._item(item, spec, slot.commit(), views)

    def _item(self, item: FrameItem, spec: AnySpec, reference: RingReference, views: tuple[View, ...]) -> TensorItem:
        beside = isinstance(spec, NamedSpec) and spec.beside
        return TensorItem(
            camera=item.camera,
            seq=item.seq,
            trace=item.trace,
            captured_at=item.captured_at,
            captured_ns=item.captured_ns,
            frame_hw=item.frame_hw,
            transform=views[0].transform,
            spec_version=spec.version,
            pixels=reference,
            preprocessed_ms=round((time.monotonic_ns() - item.captured_ns) / 1e6, 3),
            keep=item.keep,
            views=views if len(views) > 1 else (),
            merge=self._regions.merge(item.camera),
            blur=None if beside else item.blur,
            region_xyxy=region_of(views, item.frame_hw),
            named=_seat(spec),
            beside=beside,
        )


def _trial_lane(camera: str, spec: SampledSpec) -> str:
    """No release has such a name."""
    return lane_of(camera, f"{spec.named}~trial")


def _seat(spec: AnySpec) -> str:
    """Empty: the main one."""
    return "" if isinstance(spec, InputSpec) else spec.named
