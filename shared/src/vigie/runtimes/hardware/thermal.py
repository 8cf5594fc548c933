"""Temperatures of the chips that compute, now, and from where on the kernel lowers their clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from vigie.runtimes.hardware.tree import ProcessIdentity, Tree

# Sensors that are not there read as absurd values: -256 degrees of an idle Jetson's GPU.
_PLAUSIBLE_C = (-40.0, 150.0)
# Not of what computes, and some of them always read the same (a Jetson's PMIC-Die: 100 degrees).
_OTHERS = re.compile(r"iwlwifi|wifi|^pch_|pmic|batt|charger|nvme|fan-est|skin", re.IGNORECASE)
# Chips whose temperature is in hwmon only (AMD), or with its limit there only (Intel).
_CHIPS = frozenset({"coretemp", "k10temp", "zenpower"})


class ThermalZone(msgspec.Struct, frozen=True):
    """``celsius`` now; ``limit_celsius``: where the kernel begins to throttle, ``None`` if it does not say."""

    name: str
    celsius: float
    limit_celsius: float | None

    @property
    def hot(self) -> bool:
        return self.limit_celsius is not None and self.celsius >= self.limit_celsius


def read_zones(root: Path = Path("/")) -> tuple[ThermalZone, ...]:
    """All zones that give a temperature; none is an empty tuple."""
    tree = Tree(root, ProcessIdentity.of_this_process())
    chips = list(_chips(tree))
    zones = [
        zone
        for zone in _zones(tree)
        if not (zone.name == "x86_pkg_temp" and any(one.name == "coretemp" for one in chips))
    ]
    return tuple(
        zone
        for zone in (*zones, *chips)
        if _PLAUSIBLE_C[0] <= zone.celsius <= _PLAUSIBLE_C[1] and not _OTHERS.search(zone.name)
    )


def _zones(tree: Tree) -> Iterator[ThermalZone]:
    for path in tree.glob("sys/class/thermal/thermal_zone*"):
        millidegrees = tree.number(f"{path}/temp")
        if millidegrees is not None:
            yield ThermalZone(tree.text(f"{path}/type") or "unknown", millidegrees / 1000, _limit(tree, path))


def _chips(tree: Tree) -> Iterator[ThermalZone]:
    """The first sensor of each is the whole package."""
    for path in tree.glob("sys/class/hwmon/hwmon*"):
        name, millidegrees = tree.text(f"{path}/name"), tree.number(f"{path}/temp1_input")
        if name in _CHIPS and millidegrees is not None:
            critical = tree.number(f"{path}/temp1_crit")
            yield ThermalZone(name, millidegrees / 1000, None if critical is None else critical / 1000)


def _limit(tree: Tree, path: str) -> float | None:
    """The lowest passive trip point: from there on the kernel lowers clocks."""
    limits = []
    for kind in tree.glob(f"{path}/trip_point_*_type"):
        limit = tree.number(kind.replace("_type", "_temp"))
        if tree.text(kind) == "passive" and limit is not None and limit > 0:
            limits.append(limit / 1000)
    return min(limits, default=None)
