"""What follows from measurements that an earlier start left: read, never measured."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.models import Bundle
from vigie.runtimes.choosing.choose import Rejection, choose
from vigie.runtimes.choosing.decision_cache import DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.hardware import HardwareReport


class KnownChoice(msgspec.Struct, frozen=True):
    """``chosen``: the key of what would serve, None if nothing may. ``rejected``: what was measured and may not."""

    chosen: str | None
    reasons: tuple[str, ...]
    rejected: tuple[Rejection, ...]
    measured_at: str


def known_choice(
    bundle: Bundle, report: HardwareReport, measurements: Path, objective: Objective | None = None
) -> KnownChoice | None:
    """None where this model was not measured on this same ground: hardware, drivers, packages and quota.

    Args: measurements: the folder of the cache. objective: None = what a module without configuration follows.
    """
    entry = DecisionCache(measurements).load(fingerprint(bundle, report.fingerprint_facts()))
    if entry is None or not entry.complete:
        return None
    choice = choose(entry.measured, objective or Objective())
    chosen = choice.chosen
    return KnownChoice(None if chosen is None else chosen.key, choice.reasons, choice.rejected, entry.measured_at)
