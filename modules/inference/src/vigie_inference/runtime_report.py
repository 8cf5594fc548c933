"""Where an operator looks for the runtime: the twin's ``runtime_state``, the metrics, the notes of /readyz."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from vigie.runtimes import Candidate
from vigie.runtimes.measuring.measure import MeasureProgress
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.runtime_state import RuntimeState, serving_of
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.serving import ServingModel


class RuntimeReport:
    """Told from any thread; tells only what has changed."""

    def __init__(self, service: SeatService) -> None:
        self._service = service
        # Held while something is told too: what is told last must be what is so.
        self._lock = threading.RLock()
        self._state = RuntimeState()
        metrics = service.metrics
        self._info = metrics.gauge(
            "vigie_runtime_info",
            "What runs the serving model: always 1.",
            ("model", "provider", "variant", "engine", "device", "threads", "verdict"),
        )
        self._measuring = metrics.gauge("vigie_runtime_measured_ratio", "Share of the candidates' processes measured.")
        self._times = metrics.gauge(
            "vigie_runtime_candidate_seconds", "Median time of one run of a candidate, measured here.", ("candidate",)
        )
        self._open = metrics.gauge(
            "vigie_runtime_failures_in_row", "Failures in a row of a candidate that is left alone.", ("candidate",)
        )
        self._switches = metrics.counter("vigie_runtime_switches", "The serving engine was replaced.", ("candidate",))
        self._failures = metrics.counter("vigie_runtime_failures", "An engine failed.", ("candidate", "kind"))

    @property
    def state(self) -> RuntimeState:
        return self._state

    def update(self, **changes: Any) -> None:
        """Fields of ``RuntimeState`` that are different now."""
        with self._lock:
            before, after = self._state, msgspec.structs.replace(self._state, **changes)
            if before == after:
                return
            self._state = after
            self._count(after)
            self._service.twin.report_whole("runtime_state", after.reported())

    def nothing(self) -> None:
        """No model, no runtime."""
        with self._lock:
            self._state = RuntimeState()
            self._info.clear()
            self._service.health.note("runtime", "")
            self._service.twin.report({"runtime_state": None})

    def serves(self, model: ServingModel, known: Measured | None) -> None:
        """``model`` answers now; ``known``: what was measured of its candidate."""
        candidate = model.engine.candidate
        serving = serving_of(candidate, known, isolated=model.isolated)
        with self._lock:
            self._info.clear()
            self._info.labels(
                model.spec.version,
                model.engine.provider,
                candidate.variant,
                candidate.engine,
                candidate.device,
                str(candidate.threads),
                serving.verdict or "unproven",
            ).set(1)
            self._service.health.note(
                "runtime", f"{candidate.key} on {model.engine.provider}: {serving.verdict or 'unproven'}"
            )
            self.update(serving=serving)

    def switched(self, candidate: Candidate) -> None:
        self._switches.labels(candidate.key).inc()

    def failed(self, candidate: Candidate, kind: str) -> None:
        self._failures.labels(candidate.key, kind).inc()

    def progressed(self, progress: MeasureProgress) -> None:
        self.update(progress=progress)

    def _count(self, state: RuntimeState) -> None:
        progress = state.progress
        if progress is not None:
            self._measuring.set(progress.done / max(1, progress.total))
        elif state.phase in {"settled", "degraded"}:
            self._measuring.set(1.0)
        for line in state.measured:
            self._times.labels(line.candidate).set(line.p50_ms / 1e3)
        self._open.clear()
        for one in state.breaker:
            self._open.labels(one.candidate).set(one.failures)
