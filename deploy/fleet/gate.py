"""Whether a release may go to the next ring, from what the devices of this ring report. Standard library only.

    gate.py RING.json --queries                              the two queries whose answers it needs
    gate.py RING.json --devices D.json --states S.json       promote (exit 0), hold (3) or stop (4); 2: wrong input

The ring's file tells the release; a state counts only if its rollout id and its sha256 are that release's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

_IN_PROGRESS = frozenset(
    {"idle", "downloading", "verifying", "selecting", "warming", "shadowing", "waiting", "probation"}
)
_FAILED = frozenset({"rejected", "rolled_back"})


class GateInputError(Exception):
    """A file does not hold what the gate needs; the text says which and what was expected."""


class Verdict(StrEnum):
    PROMOTE = "promote"
    HOLD = "hold"
    STOP = "stop"


EXIT_CODES = {Verdict.PROMOTE: 0, Verdict.HOLD: 3, Verdict.STOP: 4}


@dataclass(frozen=True)
class RingRelease:
    """What one ring's devices are to serve. ``condition``: on the device twin; ``sha256``: of the archive."""

    condition: str
    rollout: str
    sha256: str

    @property
    def queries(self) -> tuple[str, str]:
        """For the devices of the ring, and for the states of all inference modules."""
        return (
            f"SELECT deviceId FROM devices WHERE {self.condition}",  # noqa: S608  printed for an operator, never run
            "SELECT deviceId, properties.reported.update_state FROM devices.modules WHERE moduleId = 'inference'",
        )


@dataclass(frozen=True)
class RingCounts:
    """Devices of the ring. ``committed`` serve the release; ``failed`` rejected it or rolled it back."""

    targeted: int
    committed: int
    failed: int


def decide(counts: RingCounts, promote_at: Fraction, failed_max: Fraction) -> Verdict:
    """Stop when more than ``failed_max`` of the targeted devices failed, promote when ``promote_at`` of them committed.

    A share of those targeted, not of those that answered: the first answers of a large ring decide nothing.
    Nothing is promoted from a ring without devices.
    """
    if counts.failed > failed_max * counts.targeted:
        return Verdict.STOP
    if counts.targeted and counts.committed >= promote_at * counts.targeted:
        return Verdict.PROMOTE
    return Verdict.HOLD


def count(ring: RingRelease, devices: Any, states: Any) -> RingCounts:
    """Args: devices, states: answers of ``ring.queries``. Raises: GateInputError."""
    targeted = _by_device(devices, "devices")
    reported = _by_device(states, "states")
    phases = [_phase(ring, device, reported.get(device, {})) for device in targeted]
    return RingCounts(len(targeted), phases.count("committed"), sum(phase in _FAILED for phase in phases))


def read_ring(body: Any) -> RingRelease:
    """Args: body: a configuration as `ring-*.json` holds it. Raises: GateInputError."""
    try:
        condition = body["targetCondition"]
        models = body["content"]["modulesContent"]["inference"]["properties.desired.models"]
        ((_, release),) = models.items()
        ring = RingRelease(condition, release["rollout"]["id"], release["sha256"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GateInputError(
            "ring: expected targetCondition and content.modulesContent.inference.'properties.desired.models' "
            "with one release that has sha256 and rollout.id"
        ) from error
    if not all(isinstance(text, str) and text.strip() for text in (ring.condition, ring.rollout, ring.sha256)):
        raise GateInputError("ring: targetCondition, sha256 and rollout.id have to be text and not empty")
    for name, query in (body.get("metrics") or {}).get("queries", {}).items():
        if f"'{ring.rollout}'" not in query:
            raise GateInputError(f"ring: metric '{name}' counts another rollout than '{ring.rollout}'")
    return ring


def _phase(ring: RingRelease, device: str, row: dict[str, Any]) -> str:
    state = row.get("update_state")
    if state is None:
        return "idle"
    if not isinstance(state, dict):
        raise GateInputError(f"states: update_state of device '{device}' is not an object")
    if (state.get("rollout"), state.get("sha256")) != (ring.rollout, ring.sha256):
        return "idle"
    phase = state.get("phase")
    if phase not in {"committed", *_FAILED, *_IN_PROGRESS}:
        raise GateInputError(f"states: device '{device}' reports phase {phase!r}, which this gate does not know")
    return str(phase)


def _by_device(rows: Any, name: str) -> dict[str, dict[str, Any]]:
    if not isinstance(rows, list):
        raise GateInputError(f"{name}: expected the list that the query answers")
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        device = row.get("deviceId") if isinstance(row, dict) else None
        if not isinstance(device, str):
            raise GateInputError(f"{name}: expected objects with deviceId, got {json.dumps(row)[:80]}")
        if device in found:
            raise GateInputError(f"{name}: device '{device}' is listed twice")
        found[device] = row
    return found


def _share(text: str) -> Fraction:
    """Exact: as floating point numbers, 0.1 x 50 and its like may miss a whole number."""
    share = Fraction(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GateInputError(f"{path} cannot be read as JSON: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Decide whether a release goes to the next ring.")
    parser.add_argument("ring", type=Path, help="the ring's configuration, deploy/fleet/ring-*.json")
    parser.add_argument("--queries", action="store_true", help="print the queries for --devices and --states")
    parser.add_argument("--devices", type=Path, help="answer of the first query")
    parser.add_argument("--states", type=Path, help="answer of the second query")
    parser.add_argument("--promote-at", type=_share, default=Fraction("0.9"), help="share committed, default 0.9")
    parser.add_argument("--failed-max", type=_share, default=Fraction("0.02"), help="share failed, default 0.02")
    given = parser.parse_args(argv)
    if not given.queries and (given.devices is None or given.states is None):
        parser.error("--devices and --states are both needed, or --queries")
    if given.promote_at == 0:
        parser.error("--promote-at has to be above 0: otherwise a ring without an answer would be promoted")
    try:
        ring = read_ring(_read(given.ring))
        if given.queries:
            sys.stdout.write("\n".join(ring.queries) + "\n")
            return 0
        counts = count(ring, _read(given.devices), _read(given.states))
    except GateInputError as error:
        parser.error(str(error))
    verdict = decide(counts, given.promote_at, given.failed_max)
    sys.stdout.write(
        f"{verdict}: {ring.rollout}: {counts.committed} of {counts.targeted} committed, {counts.failed} failed "
        f"(promote at {float(given.promote_at):g}, stop above {float(given.failed_max):g})\n"
    )
    return EXIT_CODES[verdict]


if __name__ == "__main__":
    raise SystemExit(main())
