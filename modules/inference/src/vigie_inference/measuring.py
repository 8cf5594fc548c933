"""Measuring beside serving: at the lowest priority, between frames, with progress that an operator can follow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vigie.models import Bundle
from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.decision_cache import CachedDecision, DecisionCache
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.footprint import memory_left_mb
from vigie.runtimes.measuring.measure import MeasurePlan, MeasureProgress, measure_all, measure_once
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.load import Load

# Above this the cores are needed for frames: a figure taken now would say more of the frames than of the candidate.
BUSY_SHARE = 0.7
# A camera that keeps the module busy for ever must not keep it from ever finding something faster.
PATIENCE_S = 20.0
# What a container must keep for the module itself while a candidate is tried.
_MEMORY_KEPT_MB = 64.0
_STEP_S = 0.2


class Measuring:
    """Measures what is not known yet and writes it down. For one thread."""

    def __init__(
        self, cache: DecisionCache, breaker: Breaker, load: Load, engine_cache: Path, alone: threading.Lock
    ) -> None:
        """``alone``: held while something is measured; two measurements at a time would tell of each other."""
        self._cache, self._breaker, self._load, self._engine_cache = cache, breaker, load, engine_cache
        self._alone = alone

    def all_of(
        self,
        bundle: Bundle,
        candidates: Sequence[Candidate],
        fingerprint: str,
        *,
        progress: Callable[[MeasureProgress], None],
        stop: Callable[[], bool],
    ) -> CachedDecision | None:
        """Measure, save, return; None if stopped. Dangerous candidates are written down before they are tried.

        Each process is on disk when the next one begins: a start that ends early is gone on with by the next.
        """
        dangerous = {candidate.key for candidate in candidates if not is_safe(candidate)}
        known = self._cache.load(fingerprint)
        kept = {} if known is None else {one.candidate.key: one for one in known.measured}
        begun = {} if known is None or known.complete else kept

        def before(now: MeasureProgress) -> bool:
            progress(now)
            if not self._quiet(stop):
                return False
            if now.candidate in dangerous:
                self._breaker.trying(now.candidate)
            return True

        def after(measured: Measured) -> None:
            self._breaker.settled()
            if measured.failure is None and not stop():
                kept[measured.candidate.key] = measured
                self._cache.save(_entry(fingerprint, bundle, kept, complete=False))

        while not self._alone.acquire(timeout=_STEP_S):
            if stop():
                return None
        try:
            found = measure_all(
                bundle, candidates, self._plan(), before=before, after=after, stop=stop, known=list(begun.values())
            )
            if found is None:
                return None
            kept.update({one.candidate.key: one for one in found})
            entry = _entry(fingerprint, bundle, kept, complete=True)
            self._cache.save(entry)
            return entry
        finally:
            self._alone.release()

    def works_again(self, bundle: Bundle, candidate: Candidate, stop: Callable[[], bool]) -> Measured:
        """One process of a candidate that failed before."""
        if not is_safe(candidate):
            self._breaker.trying(candidate.key)
        found = measure_once(bundle, Measured(candidate), self._plan(), stop=stop)
        self._breaker.settled()
        return found

    def _plan(self) -> MeasurePlan:
        left_mb = memory_left_mb()
        allowed = None if left_mb is None else max(_MEMORY_KEPT_MB, left_mb - _MEMORY_KEPT_MB)
        return MeasurePlan(memory_mb_max=allowed, cache=self._engine_cache)

    def _quiet(self, stop: Callable[[], bool]) -> bool:
        """Wait for a moment in which frames leave room; False to stop."""
        patience_ends = time.monotonic() + PATIENCE_S
        while not stop():
            if self._load.busy_share() < BUSY_SHARE or time.monotonic() > patience_ends:
                return True
            time.sleep(_STEP_S)
        return False


def _entry(fingerprint: str, bundle: Bundle, measured: dict[str, Measured], *, complete: bool) -> CachedDecision:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return CachedDecision(fingerprint, bundle.card.name, now, tuple(measured.values()), complete)
