"""Where two models do not fit into the memory: the serving one makes room, the new one answers the reference frames.

No live frame is compared then. Frames wait at the serving model's gate meanwhile; if the new one is refused, the
former is opened again and answers them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.contracts.detections import Detection
from vigie.drop_reason import DropReason
from vigie.errors import FrameGoneError, VigieError
from vigie.models import Bundle
from vigie.runtimes import Engine
from vigie.runtimes.engines.finite import require_finite
from vigie.runtimes.parity import judge as judge_parity
from vigie.runtimes.proof import Proof
from vigie.runtimes.reference_frames import reference_frames
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.update.agreement import TrialTally, compare_frame
from vigie_inference.update.release import Rollout
from vigie_inference.update.wish import RefusedError

# A loaded graph takes a multiple of its file: weights, packed weights, and buffers of the largest layers.
TIMES_THE_FILE = 3.0
KEPT_MB = 64.0


@dataclass(frozen=True, slots=True)
class Exchanged:
    """``gap_s``: how long nothing answered. ``found``: what the reference frames showed, in words."""

    gap_s: float
    found: str


class EmptiedEngine(Closable):
    """See ``Engine``: one whose memory went to the model that replaced it; frames still fitted for it are dropped."""

    def __init__(self, engine: Engine) -> None:
        self.candidate, self.provider, self.variant = engine.candidate, engine.provider, engine.variant
        self.threads, self.input_shape = engine.threads, engine.input_shape

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        raise FrameGoneError("tensors", DropReason.SPEC_MISMATCH, f"{tensor_hwc.shape} was fitted for the model before")

    def placement(self) -> dict[str, int]:
        return {}

    def prove(self) -> Proof:
        raise FrameGoneError("tensors", DropReason.SPEC_MISMATCH, "the model before serves no more")

    def close(self) -> None:
        """There is nothing left to free."""


def why_in_turns(rollout: Rollout, bundle: Bundle, left_mb: float | None) -> str:
    """Why both models cannot be open at a time; empty: they can. ``left_mb``: what the container may still take."""
    if rollout.trial == "in_turns":
        return "$.rollout.trial asks for it"
    if rollout.trial == "beside" or left_mb is None:
        return ""
    largest = max((bundle.folder / one.file).stat().st_size for one in bundle.card.variants.values())
    needed_mb = TIMES_THE_FILE * largest / 1e6 + KEPT_MB
    if needed_mb <= left_mb:
        return ""
    return f"the container may take {left_mb:.0f} MB more, the release needs some {needed_mb:.0f}"


def exchange(
    models: ModelsInService,
    put: PutInService,
    control: RuntimeControl,
    loaded: LoadedBundle,
    *,
    config: InferenceConfig,
    rollout: Rollout,
    before_it_serves: Callable[[], None],
) -> Exchanged:
    """Serve ``loaded`` in place of what serves; the lock of ``put`` is held.

    Args: before_it_serves: called when it has passed; what it raises leaves the former in service.
    Raises: RefusedError: it does not answer its reference frames as it must; the former serves again.
    """
    former = models.serving
    if former is None:
        raise RefusedError("nothing serves that could make room")
    frames = reference_frames(loaded.bundle)
    with _alone(former):
        begun_s = time.monotonic()
        seen = _seen(former, [tensor for tensor, _ in frames]) if _same_input(former, loaded) else None
        candidate = former.engine.candidate
        former.engine.close()
        model: ServingModel | None = None
        try:
            model = put.open(loaded, config)
            found = _judged(model, frames, seen, rollout)
            before_it_serves()
        except BaseException as error:
            if model is not None:
                model.close()
            former.engine = control.engines.open(former.loaded, candidate, config)
            if isinstance(error, VigieError):
                raise RefusedError(str(error)) from error
            raise
        former.engine = EmptiedEngine(former.engine)
        put.place(model, config)
        return Exchanged(time.monotonic() - begun_s, found)


@contextmanager
def _alone(model: ServingModel) -> Iterator[None]:
    """No frame runs in ``model`` meanwhile; those that come wait."""
    for _ in range(model.runs):
        model.gate.acquire()
    try:
        yield
    finally:
        for _ in range(model.runs):
            model.gate.release()


def _same_input(former: ServingModel, loaded: LoadedBundle) -> bool:
    mine, other = former.spec, loaded.spec
    return (mine.size_hw, mine.align, mine.pad_value) == (other.size_hw, other.align, other.pad_value)


def _judged(
    model: ServingModel,
    frames: list[tuple[NDArray[np.uint8], list[NDArray[Any]]]],
    former: list[list[Detection]] | None,
    rollout: Rollout,
) -> str:
    """Raises: RefusedError: no numbers, another answer than the bundle's reference, or than the former model's."""
    if not frames:
        return "the bundle has no reference frames, so nothing was compared"
    for tensor_hwc, _ in frames:
        require_finite(model.engine, model.engine.run(tensor_hwc))

    def run(tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        return [np.array(output) for output in model.engine.run(tensor_hwc)]

    minimum = model.loaded.parity_min(model.engine.variant)
    parity = judge_parity(model.bundle.card, run, frames, minimum=minimum)
    if not parity.passed:
        raise RefusedError(f"does not answer its own reference frames: {parity.why}")
    text = f"agrees with its own {len(frames)} reference frames to {parity.agreement:.3f}"
    if former is None:
        return f"{text}; the former model takes another input, so they were not compared"
    tally = TrialTally()
    for number, (one, two) in enumerate(zip(former, _seen(model, [one for one, _ in frames]), strict=True)):
        tally.add(compare_frame(one, two), f"reference/{number}")
    if tally.agreement is None:
        return f"{text}; the former model and it see nothing there"
    if tally.agreement < rollout.agreement_min:
        raise RefusedError(
            f"agrees with the serving model to {tally.agreement:.3f} on its {len(frames)} reference frames, at least "
            f"{rollout.agreement_min:g} is asked for"
        )
    return f"{text}, and with the former model to {tally.agreement:.3f}"


def _seen(model: ServingModel, tensors: list[NDArray[np.uint8]]) -> list[list[Detection]]:
    """In the tensors' own pixels."""
    thresholds, seen = model.bundle.card.thresholds, []
    for tensor_hwc in tensors:
        found = model.decoder(
            model.engine.run(tensor_hwc), score_min=thresholds.score_min, iou_max=thresholds.iou_max, classes=None
        )
        rows = zip(found.boxes_xyxy, found.scores, found.class_ids, strict=True)
        seen.append(
            [
                Detection(
                    model.labels[int(kind)],
                    int(kind),
                    float(score),
                    (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                )
                for box, score, kind in rows
            ]
        )
    return seen
