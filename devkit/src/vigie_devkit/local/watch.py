"""Watches the start of the flow: when frames began, and which source or model will never work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vigie_devkit.local import summary
from vigie_devkit.local.beside import Beside, require_serving
from vigie_devkit.local.camera_cells import camera_states
from vigie_devkit.local.errors import NoModelError, SourceError
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.sources import CameraSource
from vigie_devkit.local.twins import refusals

# A live source may take its time; a file that has failed stays failed.
LIVE_OPENS_WITHIN_S = 20.0
# One of this machine (a file, a synthetic one) that has not failed: its decoder is still starting, on a busy machine.
OWN_OPENS_WITHIN_S = 120.0
ASK_TWINS_EVERY_S = 2.0
ASK_TWINS_AFTER_S = 2.0


class Watch:
    """Told what the modules count and report, it says what is wrong. Pure but for the clock it is given."""

    def __init__(self, cameras: Sequence[CameraSource], bundle: Path, beside: Sequence[Beside] = ()) -> None:
        self._cameras, self._beside = cameras, beside
        self._bundle = bundle
        self._served_at: float | None = None
        self._twins_at: float | None = None
        self._opened: set[str] = set()
        self._inferred = 0
        self._last_look: float | None = None
        self._last_inferred_at: float | None = None
        self.first_captured_at: float | None = None
        self.troubles: list[str] = []

    @property
    def seconds_of_flow(self) -> float:
        """From the first frame captured to the last inferred, as exactly as looking allows."""
        if self.first_captured_at is None or self._last_inferred_at is None:
            return 0.0
        return self._last_inferred_at - self.first_captured_at

    def look(self, tally: MetricTotals, now: float) -> None:
        """Take what ``tally`` holds at ``now`` (seconds, monotonic)."""
        states = camera_states(tally)
        if states and self._served_at is None:
            self._served_at = now
        self._opened |= {name for name, state in states.items() if state in {"streaming", "finished"}}
        self._opened |= set(tally.by("vigie_frames_captured_total", "camera", "camera"))
        if self.first_captured_at is None and summary.captured(tally) > 0:
            # It happened between the look before and this one.
            self.first_captured_at = now if self._last_look is None else (self._last_look + now) / 2
        if summary.inferred(tally) > self._inferred:
            self._inferred, self._last_inferred_at = summary.inferred(tally), now
        self._last_look = now
        self.troubles = [
            f"{camera.name} does not open yet: {camera.url}"
            for camera in self._cameras
            if states.get(camera.name) == "failed" and camera.name not in self._opened
        ]

    def wants_twins(self, now: float) -> bool:
        """True when nothing has flowed for so long that the reported twins should be asked why."""
        if self._twins_at is None:
            self._twins_at = now + ASK_TWINS_AFTER_S
        if now < self._twins_at:
            return False
        self._twins_at = now + ASK_TWINS_EVERY_S
        return True

    def judge(self, tally: MetricTotals, twins: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Say so if it cannot work. What an operator's edit asks for is refused to the operator and ends no run.

        Args: twins: ``desired`` and ``reported`` by module.
        Raises: NoModelError: inference refuses the run's model; SourceError: a camera of the run is refused or does not
        open.
        """
        reported = {module: twin.get("reported", {}) for module, twin in twins.items()}
        desired = {module: twin.get("desired", {}) for module, twin in twins.items()}
        refused = refusals(reported.get("inference", {}))
        if "model" in refused and "value" not in reported["inference"]["model"]:
            if (desired["inference"].get("model") or {}).get("path") == str(self._bundle):
                raise NoModelError(f"inference refuses the model: {refused['model']}")
            self.troubles.append(f"inference refuses the model of its twin: {refused['model']}")
        require_serving(self._beside, reported.get("inference", {}))
        refused = refusals(reported.get("camera", {}))
        if "cameras" in refused:
            in_force = reported["camera"]["cameras"].get("value", {})
            wanted = desired["camera"].get("cameras") or {}
            for camera in self._cameras:
                if camera.name not in in_force and (wanted.get(camera.name) or {}).get("source") == camera.url:
                    raise SourceError(f"camera refuses its sources: {refused['cameras']}")
        states = camera_states(tally)
        waited = 0.0 if self._served_at is None else now - self._served_at
        for camera in self._cameras:
            state = states.get(camera.name)
            if camera.name in self._opened or state == "streaming":
                continue
            patience_s = LIVE_OPENS_WITHIN_S if camera.live else 0.0
            if state != "failed" and not camera.host:
                patience_s = OWN_OPENS_WITHIN_S
            if waited >= patience_s:
                why = why_not_open(reported.get("camera", {}), camera.name)
                raise SourceError(f"{camera.url} does not open{f': {why}' if why else ''} (camera {camera.name})")


def why_not_open(reported: Mapping[str, Any], camera: str) -> str:
    """The reason that the camera module reports for one of its cameras, in its words."""
    state = reported.get("camera_state") or reported.get("cameras_state") or {}
    entry = state.get(camera) if isinstance(state, Mapping) else None
    reason = (entry.get("reason") or entry.get("error")) if isinstance(entry, Mapping) else None
    return reason if isinstance(reason, str) else ""
