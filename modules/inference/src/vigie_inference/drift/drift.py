"""Counts what the serving model sees of each camera and tells when it is no longer what it was: twin, metric, event.

Each object counts once, when it gets its track, so that one that stays does not stand for many; for a model whose
objects have no track, one frame in ten seconds counts.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import msgspec

from vigie.config.atomic import write_atomically
from vigie.contracts.detections import DetectionsItem
from vigie.log import get_logger
from vigie.models.reference import read_reference
from vigie.service import Service
from vigie.vision.decoders import make_decoder
from vigie_inference.config import InferenceConfig
from vigie_inference.drift.watch import WHATS, CameraDrift, Counts, DriftChange, Stability, What, stability
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import LoadedBundle
from vigie_inference.telling import Telling

log = get_logger("inference")

TICK_S = 5.0
SAVE_S = 300.0
CAMERAS_MAX = 64
_SHOWN_MAX = 16
_TRACKS_MAX = 4096
_UNTRACKED_EVERY_S = 10.0


class _Kept(msgspec.Struct):
    """The file. ``began``: when the drift that goes on was told, by camera and what."""

    model: str = ""
    cameras: dict[str, CameraDrift] = {}
    began: dict[str, str] = {}


class Drift:
    """``saw``: from the inference threads; ``run``: the body of a thread of its own."""

    def __init__(self, service: Service[InferenceConfig], models: ModelsInService, telling: Telling) -> None:
        self._service, self._models, self._telling = service, models, telling
        self._file = service.env.state / "drift.json"
        self._lock = threading.Lock()
        self._kept = self._read()
        self._tracks: OrderedDict[str, None] = OrderedDict()
        self._sampled: dict[str, float] = {}
        self._active: set[str] = set()
        self._evidence: Counts | None = None
        self._loaded: LoadedBundle | None = None
        self._index = service.metrics.gauge(
            "vigie_model_drift_index",
            "Population stability index of the last hours against the base: the first days, or the bundle's reference "
            "frames (evidence).",
            ("camera", "model", "what", "base"),
        )
        self._drifted = service.metrics.gauge(
            "vigie_model_drifted",
            "1 while drift is told of a camera, by what has drifted.",
            ("camera", "model", "what"),
        )

    def saw(self, result: DetectionsItem) -> None:
        """What the serving model saw in a frame."""
        now_s = result.captured_ns / 1e9
        with self._lock:
            kept = self._kept
            if result.model != kept.model:
                return
            camera = kept.cameras.get(result.camera)
            if camera is None:
                if len(kept.cameras) >= CAMERAS_MAX:
                    return
                camera = kept.cameras[result.camera] = CameraDrift()
            self._active.add(result.camera)
            tracked = any(one.track is not None for one in result.detections)
            due = tracked or now_s - self._sampled.get(result.camera, 0.0) >= _UNTRACKED_EVERY_S
            if not due:
                return
            if not tracked:
                self._sampled[result.camera] = now_s
            for one in result.detections:
                if not tracked or (one.track is not None and self._is_new(one.track)):
                    camera.saw(one.label, one.score)

    def run(self, stop: threading.Event) -> None:
        looked_s = saved_s = time.monotonic()
        while not stop.wait(TICK_S):
            now_s = time.monotonic()
            changed = self.look(now_s - looked_s)
            looked_s = now_s
            if changed or now_s - saved_s >= SAVE_S:
                saved_s = now_s
                self._save()
        self._save()

    def look(self, seconds: float) -> bool:
        """``seconds`` have passed since the last look. Returns: whether something is to be told."""
        config, serving = self._service.twin.current, self._models.serving
        if config is None or serving is None or not config.drift.on:
            return False
        if serving.loaded is not self._loaded:
            self._adopt(serving.loaded, serving.spec.version)
        settings = config.drift
        changes: list[tuple[str, DriftChange, datetime]] = []
        with self._lock:
            active, self._active = self._active, set()
            model = self._kept.model
            for name in active:
                camera = self._kept.cameras[name]
                found = camera.passed(
                    seconds,
                    base_s=settings.base_hours * 3600,
                    window_s=settings.window_hours * 3600,
                    psi_max=settings.psi_max,
                )
                changes += [(name, change, self._began(name, change)) for change in found]
            self._show(settings.psi_max)
        for name, change, began in changes:
            log.warning("model_drift", camera=name, model=model, what=change.what, begins=change.begins,
                        psi=change.stability.psi, limit=change.stability.limit)  # fmt: skip
            self._telling.drift(name, model, change, began)
        return bool(changes)

    def _adopt(self, loaded: LoadedBundle, version: str) -> None:
        """Another model serves: what was counted is of the one before, unless this start goes on with the same."""
        evidence = evidence_of(loaded)
        with self._lock:
            self._loaded, self._evidence = loaded, evidence
            if self._kept.model != version:
                self._kept = _Kept(version)
                self._active.clear()
            self._index.clear()
            self._drifted.clear()

    def _began(self, camera: str, change: DriftChange) -> datetime:
        """The lock is held."""
        key, now = f"{camera}/{change.what}", datetime.now(UTC)
        if change.begins:
            self._kept.began[key] = now.isoformat()
            return now
        return datetime.fromisoformat(self._kept.began.pop(key, now.isoformat()))

    def _is_new(self, track: str) -> bool:
        """The lock is held."""
        if track in self._tracks:
            self._tracks.move_to_end(track)
            return False
        self._tracks[track] = None
        while len(self._tracks) > _TRACKS_MAX:
            self._tracks.popitem(last=False)
        return True

    def _show(self, psi_max: float) -> None:
        """The lock is held."""
        model = self._kept.model
        shown: dict[str, object] = {}
        for name, camera in sorted(self._kept.cameras.items()):
            evidence: dict[What, Stability] = {}
            if self._evidence is not None and camera.found:
                window = camera.window()
                evidence = {what: stability(what, self._evidence, window, psi_max) for what in WHATS}
            for what in WHATS:
                for base, found in (("first_days", camera.found.get(what)), ("evidence", evidence.get(what))):
                    if found is not None:
                        self._index.labels(name, model, what, base).set(found.psi)
                self._drifted.labels(name, model, what).set(what in camera.told)
            phase = "learning" if not camera.learned else "drifted" if camera.told else "watching"
            told: dict[str, Any] = {
                "phase": phase,
                "objects": int(camera.base.objects),
                "learned_hours": round(camera.base_s / 3600, 1),
                "drifted": ", ".join(camera.told),
            }
            told |= {what: msgspec.to_builtins(found) for what, found in camera.found.items()}
            if evidence:
                told["evidence"] = {what: found.psi for what, found in evidence.items()}
            shown[name] = told
        cameras = dict(list(shown.items())[:_SHOWN_MAX])
        self._service.twin.report_whole("drift_state", {"model": model, "cameras": cameras} if cameras else None)

    def _read(self) -> _Kept:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return _Kept()
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("drift_counts_unreadable", file=str(self._file), reason=str(error))
            return _Kept()

    def _save(self) -> None:
        with self._lock:
            content = msgspec.json.encode(self._kept)
        try:
            write_atomically(self._file, content)
        except OSError as error:
            log.warning("drift_counts_not_saved", file=str(self._file), reason=str(error))


def evidence_of(loaded: LoadedBundle) -> Counts | None:
    """What the model saw in the bundle's reference frames when it was made; None: it has none, or saw nothing."""
    if loaded.bundle.card.reference is None:
        return None
    thresholds, decoder = loaded.bundle.card.thresholds, make_decoder(loaded.bundle.card)
    counts = Counts()
    for pair in read_reference(loaded.bundle):
        found = decoder(pair.outputs, score_min=thresholds.score_min, iou_max=thresholds.iou_max, classes=None)
        for class_id, score in zip(found.class_ids, found.scores, strict=True):
            counts.add(loaded.labels[int(class_id)], float(score))
    return counts if counts.objects else None
