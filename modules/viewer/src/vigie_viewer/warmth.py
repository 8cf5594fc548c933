"""How warm the machine is, as its kernel says: the hottest zone, or nothing where there is none (most virtual ones)."""

from __future__ import annotations

from pathlib import Path

import msgspec

# Sensors that are not there read as absurd values.
_PLAUSIBLE_C = (-40.0, 150.0)


class Warmth(msgspec.Struct, frozen=True):
    """``celsius`` of the hottest zone, whose name the kernel gives."""

    zone: str
    celsius: float


def hottest(root: Path = Path("/sys/class/thermal")) -> Warmth | None:
    """Reads a handful of small files; never raises."""
    found: list[Warmth] = []
    for zone in sorted(root.glob("thermal_zone*")):
        try:
            celsius = int((zone / "temp").read_text(encoding="ascii")) / 1000
            name = (zone / "type").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if _PLAUSIBLE_C[0] <= celsius <= _PLAUSIBLE_C[1]:
            found.append(Warmth(name[:64], celsius))
    return max(found, key=lambda one: one.celsius, default=None)
