"""Which engine answers the first frame, before anything is measured: within seconds, whatever else this machine has."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vigie.errors import ConfigRefusedError
from vigie.models import Bundle
from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Breaker
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.choose import choose
from vigie.runtimes.choosing.decision_cache import CachedDecision
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe


def first_engine(
    bundle: Bundle, here: Here, objective: Objective, entry: CachedDecision | None, breaker: Breaker
) -> Candidate:
    """The best known if it is safe; else ONNX Runtime on the CPU; else, where that is forbidden, what is allowed.

    Raises: ConfigRefusedError: everything is forbidden.
    """
    now_s = time.time()
    allowed = [one for one in here.candidates if not objective.forbid.any_of(one)]
    if not allowed:
        raise ConfigRefusedError("$.runtime.forbid", "forbids every engine that this machine has for the model")
    if entry is not None:
        for ranked in choose(entry.measured, objective).ranking if entry.complete else ():
            best = ranked.candidate
            if best in allowed and is_safe(best) and not breaker.is_open(best.key, now_s):
                return best
    return min(allowed, key=lambda one: _order(one, bundle.variants, objective, breaker, now_s))


def _order(
    one: Candidate, variants: Sequence[str], objective: Objective, breaker: Breaker, now_s: float
) -> tuple[bool, bool, bool, int, int, int]:
    """Safe, not known to fail, what is required, the variant that the card names first, then all CPUs.

    For the least delay by one run of all threads, else by several runs of one thread: most frames per second.
    """
    return (
        not is_safe(one),
        breaker.is_open(one.key, now_s),
        not objective.require.all_of(one),
        variants.index(one.variant),
        -one.threads * one.runs,
        one.runs if objective.kind == "latency" else -one.runs,
    )
