"""Puts an engine into service: opened and warm beside the serving one, then the next tensor is its own."""

from __future__ import annotations

import time
from pathlib import Path

from vigie.errors import EngineLiesError, VigieError
from vigie.log import get_logger
from vigie.runtimes import Candidate, Engine, EngineSettings
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.engines.finite import require_finite
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measurement import Measured, figures
from vigie.runtimes.parity import judge
from vigie.runtimes.reference_frames import reference_frames
from vigie_inference.control.events import EngineOpened, Opening
from vigie_inference.control.state import Wish
from vigie_inference.engines import Engines
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.runtime_report import RuntimeReport
from vigie_inference.serving import LoadedBundle

log = get_logger("inference")

# A run may take this many times what it took when measured before it counts as hung, within these bounds.
HUNG_TIMES, HUNG_FLOOR_S, HUNG_CEILING_S = 30.0, 3.0, 30.0
_WARM_RUNS = 3


class Switching:
    """For the thread that chooses."""

    def __init__(
        self, models: ModelsInService, breaker: Breaker, report: RuntimeReport, engines: Engines, engine_cache: Path
    ) -> None:
        self._models, self._breaker, self._report, self._engines = models, breaker, report, engines
        self._settings = EngineSettings(cache=engine_cache)

    def open(self, wish: Wish, candidate: Candidate, known: Measured | None) -> EngineOpened:
        """Let ``candidate`` serve from now on. ``known``: what was measured of it."""
        before = self._models.serving
        if before is None or before.loaded is not wish.loaded:
            return EngineOpened(wish, candidate, Opening.LOST)
        if not is_safe(candidate):
            self._breaker.trying(candidate.key)
        try:
            engine = self._open(wish, candidate, known)
        except VigieError as error:
            return EngineOpened(wish, candidate, Opening.REFUSED, str(error), error.slug)
        after = self._models.switch(before, engine)
        if after is None:
            engine.close()
            return EngineOpened(wish, candidate, Opening.LOST)
        self._report.switched(candidate)
        self._report.serves(after, known)
        log.info("runtime_switched", candidate=candidate.key, ep=engine.provider, before=before.engine.candidate.key)
        return EngineOpened(wish, candidate, Opening.SERVES)

    def failed(self, candidate: Candidate, reason: str, kind: str) -> None:
        now_s = time.time()
        trouble = self._breaker.failed(candidate.key, reason, now_s, kind)
        self._report.failed(candidate, kind)
        log.warning(
            "runtime_failed",
            candidate=candidate.key,
            reason=reason,
            failures=trouble.failures,
            retry_in_s=round(trouble.retry_at_s - now_s),
        )

    def _open(self, wish: Wish, candidate: Candidate, known: Measured | None) -> Engine:
        """Opened, warm, and answering with numbers. Raises: VigieError."""
        loaded = wish.loaded
        engine = self._engines.open(loaded, candidate, wish.config, self._settings)
        try:
            if isinstance(engine, IsolatedEngine):
                engine.run_limit_s = hung_after_s(known)
            for tensor, _ in reference_frames(loaded.bundle)[:_WARM_RUNS]:
                require_finite(engine, engine.run(tensor))
            trouble = self._breaker.troubles().get(candidate.key)
            if trouble is not None and trouble.kind == EngineLiesError.slug:
                self._require_agreement(loaded, engine)
        except BaseException:
            engine.close()
            raise
        return engine

    def _require_agreement(self, loaded: LoadedBundle, engine: Engine) -> None:
        """One that lied was measured before it went wrong. Raises: EngineLiesError."""
        frames = reference_frames(loaded.bundle)
        found = judge(loaded.bundle.card, engine.run, frames, minimum=loaded.parity_min(engine.variant))
        if not found.passed:
            raise EngineLiesError(f"{loaded.bundle.card.name}/{engine.candidate.key}", found.why)


def hung_after_s(known: Measured | None) -> float:
    """How long a run of this candidate may take before its process is ended."""
    found = figures(known) if known is not None else None
    if found is None:
        return HUNG_CEILING_S
    return min(HUNG_CEILING_S, max(HUNG_FLOOR_S, HUNG_TIMES * found.p99_ms / 1e3))
