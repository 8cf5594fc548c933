"""A new model runs beside the serving one on a share of the live frames; nobody sees what it answers.

Preprocess fits those frames for it as well (``InputSpec.also``). The thread that takes tensors hands them over here and
goes on; a slow trial loses frames of its own and none of the serving model's.
"""

from __future__ import annotations

import queue
import statistics
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.inputspec import InputSpec, SampledSpec
from vigie.contracts.tensors import TensorItem
from vigie.errors import FrameGoneError, VigieError
from vigie.frames import RingPool
from vigie.log import get_logger
from vigie.runtimes.engines.finite import require_finite
from vigie.vision.detections import Detections
from vigie.vision.in_frame import as_messages
from vigie_inference.looks import see_frame
from vigie_inference.serving import Filter, ServingModel
from vigie_inference.update.agreement import TrialTally, compare_frame

log = get_logger("inference")
T = TypeVar("T")

_POLL_S = 0.2
_WAITING_MAX = 4
# Frames of the other model that wait for their counterpart; the serving one may queue for a second.
_UNPAIRED_MAX = 512
_TIMES_KEPT = 500
_BUDGET_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A model on trial. ``every``: one frame of so many is fitted for it. ``ended``: called when it is over."""

    model: ServingModel
    filter: Filter
    every: int
    cpu_max: float
    ended: Callable[[], None] = lambda: None


class TrialRun:
    """``begin``, ``end``, ``look``: from the thread of updates; ``take``, ``served``: from the inference threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trial: Trial | None = None
        self._tally = TrialTally()
        self._failure = ""
        self._frames: queue.Queue[tuple[Trial, TensorItem, NDArray[np.uint8]]] = queue.Queue(_WAITING_MAX)
        self._serving: OrderedDict[tuple[str, int], DetectionsItem] = OrderedDict()
        self._new: OrderedDict[tuple[str, int], Sequence[Detection]] = OrderedDict()
        self._serving_ms: deque[float] = deque(maxlen=_TIMES_KEPT)
        self._new_ms: deque[float] = deque(maxlen=_TIMES_KEPT)
        self._spent: deque[tuple[float, float]] = deque()
        self._running = threading.Lock()
        # What the model on trial saw, for who looks at it; from the thread that runs it.
        self.show: Callable[[DetectionsItem], None] = lambda _: None
        # A frame in which both saw different things: what the serving model saw, and the other; from either thread.
        self.differs: Callable[[DetectionsItem, Sequence[Detection]], None] = lambda *_: None

    def begin(self, trial: Trial) -> None:
        self.end()
        with self._lock:
            self._trial, self._tally, self._failure = trial, TrialTally(), ""
            for kept in (self._serving, self._new, self._serving_ms, self._new_ms, self._spent):
                kept.clear()

    def end(self, only: Trial | None = None) -> None:
        """Nothing is on trial from now on; no run of its model is under way when this returns.

        ``only``: this one, if it is; another one goes on.
        """
        with self._lock:
            trial = self._trial
            if only is not None and trial is not only:
                return
            self._trial = None
        with self._running:
            pass
        if trial is not None:
            trial.ended()

    def tries(self, trial: Trial | None) -> bool:
        """Whether ``trial`` goes on."""
        return trial is not None and self._trial is trial

    def look(self) -> tuple[TrialTally, float | None, float | None, str]:
        """Counts so far, median of the serving and of the new model's runs in milliseconds, and why it cannot go on."""
        with self._lock:
            return (
                replace(self._tally, examples=list(self._tally.examples)),  # others go on counting
                statistics.median(self._serving_ms) if self._serving_ms else None,
                statistics.median(self._new_ms) if self._new_ms else None,
                self._failure,
            )

    def also(self) -> tuple[SampledSpec, ...]:
        """What preprocess is asked to fit frames for beside the serving model."""
        trial = self._trial
        return () if trial is None else (sampled(trial.model.spec, trial.every),)

    def take(self, items: Sequence[TensorItem], pool: RingPool) -> None:
        """Copy the tensors of the model on trial.

        Those of a trial that has ended go nowhere: their frames have tensors for the serving model too.
        """
        trial = self._trial
        for item in items:
            if not item.trial or trial is None or item.spec_version != trial.model.spec.version or self._frames.full():
                continue
            try:
                with pool.lease(item.pixels) as tensor_hwc:
                    self._frames.put_nowait((trial, item, tensor_hwc.copy()))
            except (FrameGoneError, queue.Full):
                continue

    def served(self, result: DetectionsItem) -> None:
        """What the serving model saw in a frame."""
        trial = self._trial
        if trial is None or result.seq % trial.every or result.model == trial.model.spec.version:
            return
        with self._lock:
            self._serving_ms.append(result.timings.inference_ms)
            new = self._new.pop((result.camera, result.seq), None)
            if new is None:
                _put(self._serving, (result.camera, result.seq), result)
                return
        self._compare(result, new, trial)

    def run(self, stop: threading.Event) -> None:
        """The body of the thread that runs the model on trial."""
        while not stop.is_set():
            try:
                trial, item, tensor_hwc = self._frames.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            with self._running:
                if trial is self._trial and not self._failure and self._within_budget(trial):
                    self._infer(trial, item, tensor_hwc)

    def _infer(self, trial: Trial, item: TensorItem, tensors: NDArray[np.uint8]) -> None:
        model, wanted = trial.model, trial.filter
        cpu_s = time.thread_time()
        took_s = 0.0

        def see(one_hwc: NDArray[np.uint8]) -> Detections:
            nonlocal took_s
            run_s = time.monotonic()
            outputs = model.engine.run(one_hwc)
            require_finite(model.engine, outputs)
            took_s += time.monotonic() - run_s
            return model.decoder(outputs, score_min=wanted.score_min, iou_max=wanted.iou_max, classes=wanted.class_ids)

        try:
            found = see_frame(item, tensors, see, iou_max=wanted.iou_max)
        except VigieError as error:
            with self._lock:
                self._failure = str(error)
            return
        seen = as_messages(found, model.labels)
        ended_s = time.monotonic()
        with self._lock:
            if trial is not self._trial:
                return
            self._new_ms.append(took_s * 1e3)
            # The runtime's own threads run while this one waits for them.
            busy_s = max(time.thread_time() - cpu_s, took_s * model.engine.candidate.threads)
            self._spent.append((ended_s, busy_s))
            result = self._serving.pop((item.camera, item.seq), None)
            if result is None:
                _put(self._new, (item.camera, item.seq), seen)
        if result is not None:
            self._compare(result, seen, trial)
        took_ms = round(took_s * 1e3, 3)
        timings = StageTimings(item.preprocessed_ms, round((ended_s * 1e9 - item.captured_ns) / 1e6, 3), took_ms)
        self.show(
            DetectionsItem(
                item.camera, item.seq, item.trace, item.captured_at, item.captured_ns, item.frame_hw,
                model.spec.version, seen, timings,
            )
        )  # fmt: skip

    def _within_budget(self, trial: Trial) -> bool:
        now_s = time.monotonic()
        with self._lock:
            while self._spent and now_s - self._spent[0][0] > _BUDGET_WINDOW_S:
                self._spent.popleft()
            return sum(spent for _, spent in self._spent) < trial.cpu_max * _BUDGET_WINDOW_S

    def _compare(self, result: DetectionsItem, new: Sequence[Detection], trial: Trial) -> None:
        found = compare_frame(result.detections, new)
        with self._lock:
            if trial is not self._trial:
                return
            self._tally.add(found, f"{result.camera}/{result.seq}")
        if found.flipped or found.missing or found.new:
            self.differs(result, new)


def _put(waiting: OrderedDict[tuple[str, int], T], key: tuple[str, int], seen: T) -> None:
    """Until the counterpart comes."""
    waiting[key] = seen
    while len(waiting) > _UNPAIRED_MAX:
        waiting.popitem(last=False)


def sampled(spec: InputSpec, every: int) -> SampledSpec:
    """``spec``, for one frame of ``every``."""
    return SampledSpec(
        version=spec.version,
        size_hw=spec.size_hw,
        align=spec.align,
        pad_value=spec.pad_value,
        every=every,
        views=spec.views,
    )
