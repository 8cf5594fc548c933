"""The cameras of the live status: state, rate, age of the newest frame, and why a camera failed last."""

from __future__ import annotations

from collections.abc import Sequence

from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.rates import Rates
from vigie_devkit.local.reasons import failure

# A run is looked at once a second at least: what is younger than two looks is current.
CURRENT_S = 2.0


class CameraCells:
    """Told what the camera module counts; pure but for the clock it is given."""

    def __init__(self, cameras: Sequence[str]) -> None:
        """``cameras``: names, in the order to show them."""
        self._cameras = cameras
        self._now = 0.0
        self._counts: dict[str, int] = {}
        self._grew_at: dict[str, float] = {}
        self._failures: dict[tuple[str, str], float] = {}
        self._failed_last: dict[str, str] = {}
        self.captured = Rates()

    def take(self, tally: MetricTotals, now: float) -> None:
        """Count ``tally``. ``now``: seconds of a monotonic clock."""
        counts = tally.by("vigie_frames_captured_total", "camera", "camera")
        self.captured.add(now, counts)
        self._grew_at |= {name: now for name, count in counts.items() if count != self._counts.get(name)}
        self._now, self._counts = now, counts
        for one in tally.values("vigie_camera_failures_total", "camera"):
            camera, cause = one.label("camera"), one.label("cause")
            if one.value > self._failures.get((camera, cause), 0.0):
                self._failures[camera, cause] = one.value
                self._failed_last[camera] = cause

    def cells(self, tally: MetricTotals) -> list[str]:
        """A cell per camera."""
        states = camera_states(tally)
        column = max((len(name) for name in self._cameras), default=0)
        return [f"{name:<{column}} {self._cell(name, states.get(name))}" for name in self._cameras]

    def brief(self, tally: MetricTotals) -> list[str]:
        """What is wrong with a camera now, for the one line."""
        return [
            f"{name} failed: {failure(self._failed_last[name])}"
            for name, state in camera_states(tally).items()
            if state == "failed" and name in self._failed_last
        ]

    def _cell(self, name: str, state: str | None) -> str:
        shown = state or ("stopped" if name in self._counts else "waits for the model")
        parts = [f"{shown}, {self.captured.per_second(name):.1f}/s"]
        age_s = self._now - self._grew_at.get(name, self._now)
        if state not in (None, "finished") and age_s >= CURRENT_S:
            parts.append(f"newest frame {span(age_s)} ago")
        if cause := self._failed_last.get(name):
            parts.append(f"{'' if state == 'failed' else 'last failure: '}{failure(cause)}")
        return ", ".join(parts)


def camera_states(tally: MetricTotals) -> dict[str, str]:
    """The present state of each camera that has one: connecting, streaming, failed or finished."""
    samples = tally.values("vigie_camera_state", "camera")
    return {sample.label("camera"): sample.label("state") for sample in samples if sample.value}


def span(seconds: float) -> str:
    """A duration in its largest unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
