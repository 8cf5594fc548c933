"""The inference stage: tensors in, detections in frame pixels out."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.contracts.blur import BlurAnswer
from vigie.contracts.detections import DetectionsItem, StageTimings
from vigie.contracts.lanes import lane_of
from vigie.contracts.tensors import TensorItem
from vigie.drop_reason import DropReason
from vigie.errors import EngineError, FrameGoneError, VigieError
from vigie.frames import RingPool
from vigie.log import get_logger
from vigie.messaging.inputs import InputQueue, Received
from vigie.messaging.output import Output
from vigie.runtimes.engines.finite import require_finite
from vigie.service import Service
from vigie.vision.detections import Detections
from vigie.vision.in_frame import as_messages
from vigie_inference.blurring import SCORE_MIN, Blurring, ToBlur
from vigie_inference.config import InferenceConfig
from vigie_inference.crew import Crew
from vigie_inference.gaps import Gaps
from vigie_inference.governor.frame_share import FrameShare
from vigie_inference.looks import see_frame
from vigie_inference.seats.seat import Seat, Seats
from vigie_inference.serving import Filter, ServingModel
from vigie_inference.tracks import Sighting, Tracks

log = get_logger("inference")

POLL_S = 0.2
# Longer than any model runs on one frame: only a runtime that hangs is silent this long.
STALLED_AFTER_S = 60.0


class InferStage:
    """Takes tensors and runs the model on as many workers as the chosen candidate has runs at a time."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        tensors: InputQueue[TensorItem],
        detections: Output[DetectionsItem],
        seats: Seats,
        folder: Path,
        *,
        saw: Callable[[DetectionsItem], None] = lambda _: None,
    ) -> None:
        """``saw``: told of every result of a camera's own model, after it was sent."""
        self._service, self._tensors, self._detections, self._seats = service, tensors, detections, seats
        self._folder, self._saw = folder, saw
        self._alive = service.health.watch("inference.infer", STALLED_AFTER_S)
        self._inferred = service.metrics.counter("vigie_frames_inferred", "Frames inferred.", ("camera", "model"))
        self._beside = service.metrics.counter(
            "vigie_beside_frames_inferred", "Frames inferred beside the camera's own model.", ("camera", "model")
        )
        self._beside_seen = service.metrics.counter(
            "vigie_beside_detections", "Objects detected beside the camera's own model.", ("camera", "label", "model")
        )
        self._seen = service.metrics.counter("vigie_detections", "Objects detected.", ("camera", "label", "model"))
        self._duration = service.metrics.histogram(
            "vigie_inference_seconds",
            "Time of one run of the model.",
            ("model",),
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
        )
        self._cpu = service.metrics.counter(
            "vigie_inference_cpu_seconds", "CPU time of this thread inside the model; the runtime's own come on top."
        )
        self._crew: Crew[TensorItem, Sighting | DropReason] = Crew(self._infer, self._finish, seats.runs_at_a_time)
        self._pool = RingPool(folder)
        self._stopping = threading.Event()
        self._lock, self._workers = threading.Lock(), 0
        self._tracks = Tracks()
        self._gaps = Gaps()
        self._blurring = Blurring()
        self._answer_blur: Callable[[BlurAnswer], None] | None = None
        self._finished = self._seen_finished = 0
        # How many frames are inferred: read, and the share of them set, by the thread that governs.
        self.inferred, self.rate = 0, FrameShare()
        self._viewer: tuple[Output[DetectionsItem], Callable[[str, int], bool]] | None = None
        # Read by the thread that publishes the input spec: quicker while tensors of another spec, or none, arrive.
        self.fitting_tensor_seen_s = 0.0

    def show_to_viewer(self, overlay: Output[DetectionsItem], wants: Callable[[str, int], bool]) -> None:
        """Before ``work``: also send what was seen to the viewer, of the frames that ``wants(camera, seq)`` names."""
        self._viewer = overlay, wants

    def tell_blur(self, answer: Callable[[BlurAnswer], None]) -> None:
        """Before ``work``: where a camera's questions for one frame are answered."""
        self._answer_blur = answer

    def work(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set: the body of each worker thread."""
        self._stopping = stop
        with self._lock:
            self._workers += 1
        self._crew.work(stop, self._take)
        with self._lock:
            self._workers -= 1
            last = not self._workers
        if last:  # one that hangs in a run keeps its ring
            self._pool.close()

    def _take(self) -> None:
        """Take the next message, waiting a moment for it; by one worker at a time."""
        if not self._crew.in_hand or self._progressed():
            self._alive.beat()
        self._seats.retire()
        received = self._tensors.get(0.0)
        queued = received is not None
        if received is None and (received := self._tensors.get(POLL_S)) is None:
            self._pool.sweep()  # rings whose writer has moved on would keep their memory
            return
        for seat in self._seats.all():
            seat.trial.take(received.items, self._pool)
        items = [item for item in received.items if not item.trial]
        of_cameras = [item for item in items if not item.beside]
        for camera, lost in self._gaps.look(received.envelope.boot, of_cameras).items():
            self._service.metrics.dropped(DropReason.PREPROCESS_DIED, camera, lost)
            log.warning("frames_lost", camera=camera, count=lost, reason="preprocess ended before it sent them")
        items = [item for item in items if self._due(item)]
        others_there = queued or self._crew.in_hand > 0
        for name, count in Counter(item.named for item in items).items():
            if (theirs := self._seats.of(name)) is not None:
                theirs.load.came(count, others_there=others_there, at_a_time=theirs.models.runs_at_a_time())
        at_a_time = self._seats.runs_at_a_time()
        if self._crew.in_hand or at_a_time > 1:
            self._crew.take(received, [(_lane(item), item) for item in items], queued=queued)
        else:
            self._here(received, items, self._stopping)

    def _due(self, item: TensorItem) -> bool:
        """Whether the frame is among those that are inferred while the machine has to be spared; kept ones all are."""
        if item.keep or self.rate.takes(_lane(item)):
            return True
        self._service.metrics.dropped(DropReason.THROTTLED, _lane(item))
        return False

    def _here(self, received: Received[TensorItem], items: list[TensorItem], stop: threading.Event) -> None:
        """One run at a time, while this worker leads: the results of a message leave together."""
        with self._detections.together(len(items)):
            for item in items:
                self._finish(item, self._infer(item))
        if not stop.is_set():
            received.done()

    def _progressed(self) -> bool:
        """Whether a frame was finished since the last look: a worker that hangs must not look alive."""
        before, self._seen_finished = self._seen_finished, self._finished
        return before != self._finished

    def _finish(self, item: TensorItem, seen: Sighting | DropReason) -> None:
        self._finished += 1
        if isinstance(seen, DropReason):
            self._service.metrics.dropped(seen, _lane(item))
            log.debug("frame_dropped", camera=item.camera, seq=item.seq, reason=seen)
            return
        self.inferred += 1
        result = self._tracks.identify(seen)
        if seen.to_blur is not None:
            result = self._blur(result, seen.to_blur)
        inferred, objects = (self._beside, self._beside_seen) if item.beside else (self._inferred, self._seen)
        inferred.labels(item.camera, result.model).inc()
        for detection in result.detections:
            objects.labels(item.camera, detection.label, result.model).inc()
        log.debug("frame_inferred", camera=item.camera, seq=item.seq, trace=item.trace)
        self._detections.offer(result, key=_lane(item), keep=True)
        self._seats.served(result, item.named)
        if item.beside:
            self._seats.main.trial.show(result)  # the page draws it over the same picture
            return
        self._saw(result)
        if self._viewer is not None and self._viewer[1](item.camera, item.seq):
            self._viewer[0].offer(result, key=item.camera, keep=False)

    def _blur(self, result: DetectionsItem, to_blur: ToBlur) -> DetectionsItem:
        """The result with where its camera's classes to blur are; also told to the camera where it asked."""
        boxes = self._blurring.boxes(result.camera, result.captured_ns, result.frame_hw, to_blur)
        self._service.health.note(
            f"blur.{result.camera}",
            ""
            if boxes is not None
            else f"model {result.model} does not know every class that camera "
            f"'{result.camera}' has blurred ({', '.join(to_blur.blur.labels)}): its pictures are blurred as a whole",
        )
        if to_blur.blur.asked and self._answer_blur is not None:
            self._answer_blur(BlurAnswer(result.camera, result.seq, result.trace, boxes))
        return msgspec.structs.replace(result, blur=boxes)

    def _infer(self, item: TensorItem) -> Sighting | DropReason:
        """What was seen, or the reason why the frame was not inferred."""
        if not self._room_downstream(item, self._stopping):
            return DropReason.SYNC_BEHIND
        seat = self._seats.of(item.named)
        answering = None if seat is None else seat.models.answering(item.spec_version)
        if seat is None or answering is None:
            return DropReason.NO_MODEL if self._seats.main.models.serving is None else DropReason.SPEC_MISMATCH
        model, wanted = answering
        self.fitting_tensor_seen_s = time.monotonic()
        took_ms = 0.0

        def see(tensor_hwc: NDArray[np.uint8]) -> Detections:
            nonlocal took_ms
            found, run_ms = self._see(seat, model, wanted, tensor_hwc, blurs=item.blur is not None)
            took_ms += run_ms
            return found

        try:
            with self._pool.lease(item.pixels) as tensors:
                found = see_frame(item, tensors, see, iou_max=wanted.iou_max)
        except FrameGoneError as error:
            return error.reason
        except VigieError as error:
            log.warning(
                "inference_failed", camera=item.camera, seq=item.seq, model=model.spec.version, reason=str(error)
            )
            seat.load.was_not_answered()
            return DropReason.INFERENCE_FAILED
        finally:
            seat.models.release(model)
        return self._sighting(item, model, wanted, found, took_ms)

    def _see(
        self, seat: Seat, model: ServingModel, wanted: Filter, tensor_hwc: NDArray[np.uint8], *, blurs: bool
    ) -> tuple[Detections, float]:
        """What is in one tensor, in its pixels, and the milliseconds that the run took. Raises: VigieError.

        ``blurs``: whatever its class, and what is hardly seen too.
        """
        with model.gate:
            begun_ns, cpu_begun_ns = time.monotonic_ns(), time.thread_time_ns()
            outputs = self._run(seat, model, tensor_hwc)
            took_ms = (time.monotonic_ns() - begun_ns) / 1e6
            cpu_s = (time.thread_time_ns() - cpu_begun_ns) / 1e9
            # Still at the gate: where the engine's next run is in this thread's buffers or in its one process.
            found = model.decoder(
                outputs,
                score_min=min(wanted.decoded_score_min, SCORE_MIN) if blurs else wanted.decoded_score_min,
                iou_max=wanted.iou_max,
                classes=None if blurs else wanted.class_ids,
            )
        self._cpu.inc(cpu_s)
        seat.load.ran(took_ms / 1e3)
        self._duration.labels(model.spec.version).observe(took_ms / 1e3)
        return found, took_ms

    def _run(self, seat: Seat, model: ServingModel, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Outputs that are numbers. Where the engine fails and another stands by, that one answers this very frame.

        Raises: VigieError: neither could.
        """
        try:
            outputs = model.engine.run(tensor_hwc)
            require_finite(model.engine, outputs)
        except EngineError as error:
            standby = seat.models.fail_over(model)
            seat.load.failed(model, error)
            if standby is None:
                raise
            seat.load.was_stood_in_for()
            try:
                # Copied: the frames that this engine answers from now on may use this thread's buffers.
                outputs = [np.array(output) for output in standby.engine.run(tensor_hwc)]
            finally:
                seat.models.release(standby)
        return outputs

    def _room_downstream(self, item: TensorItem, stop: threading.Event) -> bool:
        """Results are never overwritten by newer ones: without room a kept frame waits, another is not inferred."""
        while not self._detections.wait_for_room(stop, POLL_S if item.keep else 0.0):
            if stop.is_set() or not item.keep:
                return False
            self._alive.beat()
        return True

    def _sighting(
        self, item: TensorItem, model: ServingModel, wanted: Filter, found: Detections, took_ms: float
    ) -> Sighting:
        to_blur = None
        if item.blur is not None:
            to_blur = ToBlur(item.blur, found, model.labels, item.region_xyxy)
            found = wanted.of(found)
        passed_on = found.first(int(np.count_nonzero(found.scores >= wanted.score_min)))
        result = DetectionsItem(
            camera=item.camera,
            seq=item.seq,
            trace=item.trace,
            captured_at=item.captured_at,
            captured_ns=item.captured_ns,
            frame_hw=item.frame_hw,
            model=model.spec.version,
            detections=as_messages(passed_on, model.labels),
            timings=StageTimings(
                preprocessed_ms=item.preprocessed_ms,
                inferred_ms=round((time.monotonic_ns() - item.captured_ns) / 1e6, 3),
                inference_ms=round(took_ms, 3),
            ),
            keep=item.keep,
            beside=item.named if item.beside else msgspec.UNSET,
        )
        return Sighting(
            result, found.boxes_xyxy, found.scores, found.class_ids, wanted.score_min, wanted.tracking, to_blur
        )


def order_of(item: TensorItem) -> str | None:
    """What of a sender comes in one order. None: a trial's, and what is kept: sent until it is taken, so never late."""
    return None if item.trial or item.keep else _lane(item)


def _lane(item: TensorItem) -> str:
    return lane_of(item.camera, item.named if item.beside else "")
