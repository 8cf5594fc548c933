"""Temperatures now, and whether the machine slows itself down because of them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.runtimes.hardware.tree import Identity, Tree


class Zone(msgspec.Struct, frozen=True):
    """``celsius`` now; ``limit_celsius``: where the kernel begins to throttle, ``None`` if it does not say."""

    name: str
    celsius: float
    limit_celsius: float | None

    @property
    def hot(self) -> bool:
        return self.limit_celsius is not None and self.celsius >= self.limit_celsius


class Thermal(msgspec.Struct, frozen=True):
    """``throttle_count``: of all CPU cores since boot (x86); ``None`` where the kernel does not count."""

    zones: tuple[Zone, ...]
    throttle_count: int | None


def read_thermal(root: Path = Path("/")) -> Thermal:
    """All zones that give a temperature; none is an empty tuple."""
    tree = Tree(root, Identity.of_this_process())
    zones = []
    for path in tree.glob("sys/class/thermal/thermal_zone*"):
        millidegrees = tree.number(f"{path}/temp")
        if millidegrees is not None:
            zones.append(Zone(tree.text(f"{path}/type") or "unknown", millidegrees / 1000, _limit(tree, path)))
    counts = [
        tree.number(path) for path in tree.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")
    ]
    known = [count for count in counts if count is not None]
    return Thermal(tuple(zones), sum(known) if known else None)


def _limit(tree: Tree, path: str) -> float | None:
    """The lowest passive trip point: from there on the kernel lowers clocks."""
    limits = []
    for kind in tree.glob(f"{path}/trip_point_*_type"):
        limit = tree.number(kind.replace("_type", "_temp"))
        if tree.text(kind) == "passive" and limit is not None and limit > 0:
            limits.append(limit / 1000)
    return min(limits, default=None)
