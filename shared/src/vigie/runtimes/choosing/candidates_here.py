"""The candidates of this machine for a bundle: of the probe and the provider table, and of engines that plug in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.candidates import Rejected, candidates
from vigie.runtimes.choosing.choose import Rejection
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.plugged_in import plugged_in
from vigie.runtimes.hardware import probe


@dataclass(frozen=True)
class Here:
    """``facts`` are what makes a measurement of this machine this machine's; ``lacking``: what it has not, and why."""

    candidates: tuple[Candidate, ...]
    lacking: tuple[Rejected, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)

    def why_not(self, engine: str) -> str:
        """Why none of the candidates runs on ``engine``, which may be any text, and what to write or do instead."""
        for one in self.lacking:
            if one.engine == engine:
                return "; ".join(part for part in (one.reason, one.remedy) if part)
        for one in self.lacking:
            if one.provider == engine:
                asked = f'"require": {{"providers": ["{engine}"]}}'
                return f"it is a provider of {one.engine}, which {asked} asks for, and {one.reason}"
        return "no engine has this name"

    def not_here(self, objective: Objective) -> tuple[Rejection, ...]:
        """What is lacking of all that the objective would take; a whole provider that is out has no variant."""
        require, forbid = objective.require, objective.forbid
        found = []
        for one in self.lacking:
            wanted = require if one.variant else msgspec.structs.replace(require, variants=None)
            like = Candidate(one.engine, one.provider, one.device, one.variant, 1)
            if wanted.all_of(like) and not forbid.any_of(like):
                found.append(Rejection(one.key, one.reason, one.remedy))
        return tuple(found)


def candidates_here(
    bundle: Bundle,
    threads: int | None = None,
    *,
    emulation: bool = False,
    remote: Mapping[str, str] | None = None,
    delegate: NamedDelegate | None = None,
) -> Here:
    """Args: threads: only this many on a CPU; None = one and all that the quota allows, and half of many.
    emulation: software models of devices too, which agree and place as the device would and tell nothing of speed.
    remote: options of the engine ``kserve``, if another machine is to be asked too.
    delegate: of LiteRT, if one is named.
    """
    report = probe()
    own, lacking = candidates(report, bundle.card, emulation=emulation, delegate=delegate)
    if threads is not None:
        own = pinned(own, threads)
    # How many threads another's engine uses is its own affair: one candidate a variant.
    others = [
        Candidate(name, name, "other", variant, threads or 1)
        for name in plugged_in(os.environ)
        for variant in bundle.variants
    ]
    if remote is not None:
        # Which precision runs there is that machine's affair; the first variant says how to decode.
        others.append(Candidate("kserve", "kserve", "remote", next(iter(bundle.card.variants)), 1, dict(remote)))
    facts = report.fingerprint_facts()
    if delegate is not None:
        facts["delegate"] = delegate.fingerprint()
    return Here((*own, *others), tuple(lacking), facts)


def pinned(own: list[Candidate], threads: int) -> list[Candidate]:
    """The same with this many threads, each once; one run at a time, since who names the threads bounds the CPUs."""
    found: dict[str, Candidate] = {}
    for one in own:
        kept = msgspec.structs.replace(one, threads=threads, runs=1) if one.device == "CPU" else one
        found.setdefault(kept.key, kept)
    return list(found.values())
