"""Sends what happens to models as events: to sync, which records them for the cloud, and to whoever else listens."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from vigie.contracts import envelope, names
from vigie.contracts.detections import Detection, DetectionsItem
from vigie.contracts.disagreement import Disagreement
from vigie.contracts.events import ModelDrift, ModelEvent, ModelThrottled, ModelUpdate, Phase
from vigie.events.moment import KEY
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_inference.config import InferenceConfig
from vigie_inference.drift.watch import DriftChange
from vigie_inference.governor.rules import Level, Standing

log = get_logger("inference")

# Events that wait for a hub that is away; beyond, the oldest goes, counted.
WAITING_MAX = 64
_ENDED = frozenset({"committed", "rejected", "rolled_back"})
_UPDATES = "(updates)"
_THROTTLED = "(throttled)"
_DISAGREED_EVERY_S = 1.0


class Telling:
    """From any thread."""

    def __init__(self, service: Service[InferenceConfig]) -> None:
        """Declares the output; before ``service.start``."""
        self._output: Output[ModelEvent | Disagreement] = service.output(
            names.EVENTS, (names.SYNC, names.EVENTS), schema=envelope.EVENTS, depth=WAITING_MAX
        )
        self._lock = threading.Lock()
        self._begun: dict[str, datetime] = {}
        self._never = threading.Event()
        self._disagreed_s: dict[str, float] = {}

    def disagreement(self, result: DetectionsItem, other: Sequence[Detection], now_s: float) -> None:
        """``result`` of the serving model, ``other`` of the one on trial; of a camera once in a second, and no more
        than wait is needed: nothing is lost with it.
        """
        if now_s - self._disagreed_s.get(result.camera, -_DISAGREED_EVERY_S) < _DISAGREED_EVERY_S:
            return
        self._disagreed_s[result.camera] = now_s
        told = Disagreement(
            camera=result.camera, seq=result.seq, trace=result.trace, at=result.captured_at, model=result.model,
            found=_light(result.detections), other=_light(other), blur=result.blur,
        )  # fmt: skip
        self._output.offer(told, key=f"{result.camera} (disagreement)", keep=False)

    def update(self, request: str, state: str, *, model: str, version: str, rollout: str, reason: str) -> None:
        """The update ``request`` is in ``state`` now. The same state of the same request is the same fact."""
        now = datetime.now(UTC)
        begun = self._begun.setdefault(request, now)
        phase: Phase = "end" if state in _ENDED else "update"
        if begun == now:
            phase = "end" if state in _ENDED else "new"
        if phase == "end":
            self._begun.pop(request, None)
        self._tell(
            ModelUpdate(
                key=f"{KEY}model-update/{request}/{state}",
                id=f"model-update/{request}",
                phase=phase,
                camera="",
                model=model,
                version=version,
                state=state,
                rollout=rollout,
                reason=reason,
                **_since(begun, now),
            ),
            _UPDATES,
        )

    def drift(self, camera: str, model: str, change: DriftChange, began_at: datetime) -> None:
        """``began_at``: when the drift was told first, also in what tells of its end."""
        now = datetime.now(UTC)
        name = f"model-drift/{camera}/{model}/{change.what}/{_text(began_at)}"
        self._tell(
            ModelDrift(
                key=f"{KEY}{name}/{'new' if change.begins else 'end'}",
                id=name,
                phase="new" if change.begins else "end",
                camera=camera,
                model=model,
                what=change.what,
                psi=change.stability.psi,
                limit=change.stability.limit,
                **_since(began_at, now),
            ),
            camera,
        )

    def throttled(self, model: str, phase: Phase, standing: Standing, level: Level, began_at: datetime) -> None:
        """``began_at``: when something was held back first, also in what tells of the end."""
        now = datetime.now(UTC)
        name = f"model-throttled/{_text(began_at)}"
        self._tell(
            ModelThrottled(
                key=f"{KEY}{name}/{standing.level}/{_text(now)}",
                id=name,
                phase=phase,
                camera="",
                model=model,
                level=standing.level,
                rate=level.rate,
                causes=tuple(dict.fromkeys(one.kind for one in standing.reasons)),
                reason="; ".join(one.text for one in standing.reasons),
                **_since(began_at, now),
            ),
            _THROTTLED,
        )

    def _tell(self, event: ModelEvent, about: str) -> None:
        log.info("model_event", type=event.__struct_config__.tag, phase=event.phase, model=event.model)
        with self._lock:
            # Sent again until sync has it, as long as not too many wait.
            keep = self._output.wait_for_room(self._never, 0.0, key=about, limit=WAITING_MAX)
            self._output.offer(event, key=about, keep=keep)


def _light(seen: Sequence[Detection]) -> tuple[Detection, ...]:
    return tuple(msgspec.structs.replace(one, mask=None, keypoints=()) for one in seen)


def _since(began: datetime, now: datetime) -> dict[str, Any]:
    """Members that every event has of its times."""
    return {"at": _text(now), "started_at": _text(began), "seconds": round((now - began).total_seconds(), 3)}


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
