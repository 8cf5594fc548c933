"""Which engine a program gets: by earlier measurements, by measuring on request, or the safe one unmeasured."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vigie.errors import ProviderError
from vigie.models import Bundle
from vigie.runtimes import Candidate, Proof
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.choose import choose
from vigie.runtimes.choosing.decision_cache import CachedDecision, DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measure import MeasurePlan, measure_all
from vigie.runtimes.remedy import SEE_DOCTOR

# Enough to tell candidates apart that differ by more than a tenth; the module takes its time for the rest.
_PLAN = MeasurePlan(processes=3, nice=0)


@dataclass(frozen=True, slots=True)
class RuntimeFacts:
    """What runs the model. ``candidate``: engine, device, variant and threads, as one key. ``why``: sentences.

    ``proof``: what really ran, found out when it was asked for; see ``Model.prove``. ``measured_at``: UTC, or empty.
    """

    candidate: str
    engine: str
    provider: str
    device: str
    variant: str
    threads: int
    why: tuple[str, ...]
    measured_at: str = ""
    proof: Proof | None = None

    def __str__(self) -> str:
        proven = f"; proof: {self.proof.verdict}" if self.proof is not None else ""
        return f"{self.candidate} ({self.provider}){proven}; {'; '.join(self.why)}"


def default_cache() -> Path:
    """Where measurements lie unless told otherwise: ``VIGIE_LIBRARY_CACHE``, else the user's cache folder."""
    told = os.environ.get("VIGIE_LIBRARY_CACHE")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vigie"


def pick(
    bundle: Bundle, objective: Objective, *, measure: bool, cache: Path, threads: int | None
) -> tuple[Candidate, tuple[str, ...], str]:
    """The candidate, why, and when it was measured.

    Raises: ProviderError: nothing that is required may serve, or everything is forbidden.
    """
    here = candidates_here(bundle, threads)
    mark, store = fingerprint(bundle, here.facts), DecisionCache(cache)
    entry = store.load(mark)
    allowed = [one for one in here.candidates if objective.require.all_of(one) and not objective.forbid.any_of(one)]
    name = bundle.card.name
    if not allowed:
        lacking = (
            "; ".join(f"{one.candidate}: {one.reason}" for one in here.not_here(objective)) or "nothing here has it"
        )
        raise ProviderError(name, f"required {objective.require.in_words()}: {lacking[:400]}", SEE_DOCTOR)
    if entry is None and measure:
        found = measure_all(bundle, allowed, _PLAN, before=lambda _now: True)
        if found is not None:
            entry = CachedDecision(mark, name, datetime.now(UTC).isoformat(timespec="seconds"), tuple(found))
            store.save(entry)
    if entry is not None:
        choice = choose(entry.measured, objective, here.not_here(objective))
        if choice.chosen is not None and choice.chosen in allowed:
            return choice.chosen, choice.reasons, entry.measured_at
        if measure:
            raise ProviderError(name, choice.unmet or "; ".join(choice.reasons), "allow more, or require less")
    order = sorted(allowed, key=lambda one: (not is_safe(one), bundle.variants.index(one.variant), -one.threads))
    how = "required" if not objective.require.names_nothing() else "the CPU with the card's first variant"
    return order[0], (f"not measured on this machine: {how}; open_model(..., measure=True) measures once",), ""
