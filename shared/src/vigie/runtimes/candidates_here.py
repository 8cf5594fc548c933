"""The candidates of this machine for a bundle: of the probe and the provider table, and of engines that plug in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.choose import Rejection
from vigie.runtimes.fingerprint import basic_facts
from vigie.runtimes.plugged_in import plugged_in
from vigie.runtimes.threads import threads_available


@dataclass(frozen=True)
class Here:
    """``facts`` are what makes a measurement of this machine this machine's; ``not_here``: what it lacks, and why."""

    candidates: tuple[Candidate, ...]
    not_here: tuple[Rejection, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)


def candidates_here(bundle: Bundle, threads: int | None = None) -> Here:
    """Args: threads: only this many; None = one and all that the quota allows, and half of many."""
    counts = (threads,) if threads is not None else thread_counts(threads_available())
    own = [cpu_candidate(variant, count) for variant in bundle.variants for count in counts]
    # How many threads another's engine uses is its own affair: one candidate a variant.
    others = [
        Candidate(name, name, "other", variant, threads or 1)
        for name in plugged_in(os.environ)
        for variant in bundle.variants
    ]
    return Here((*own, *others), (), basic_facts())


def thread_counts(available: int) -> tuple[int, ...]:
    """1, all, and the half of more than four."""
    return tuple(sorted({1, available, *([available // 2] if available > 4 else [])}))
