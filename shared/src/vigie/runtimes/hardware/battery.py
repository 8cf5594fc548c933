"""The machine's own battery: how full, and whether it is being used up. Those of mice and headsets do not count.

Source: Documentation/ABI/testing/sysfs-class-power.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.runtimes.hardware.tree import ProcessIdentity, Tree


class Battery(msgspec.Struct, frozen=True):
    """``percent`` of what all batteries hold when full, 0..100. ``in_use``: one is being discharged."""

    percent: float
    in_use: bool


def read_battery(root: Path = Path("/")) -> Battery | None:
    """None: this machine has none, or it does not say how full it is."""
    tree = Tree(root, ProcessIdentity.of_this_process())
    weighed: list[tuple[float, float]] = []
    in_use = False
    for path in tree.glob("sys/class/power_supply/*"):
        if tree.text(f"{path}/type") != "Battery" or tree.text(f"{path}/scope") == "Device":
            continue
        percent = tree.number(f"{path}/capacity")
        if percent is None or not 0 <= percent <= 100 or tree.number(f"{path}/present") == 0:
            continue
        full = tree.number(f"{path}/energy_full") or tree.number(f"{path}/charge_full")
        weighed.append((float(percent), float(full or 0)))
        in_use = in_use or tree.text(f"{path}/status") == "Discharging"
    if not weighed:
        return None
    whole = sum(full for _, full in weighed)
    if all(full > 0 for _, full in weighed):
        return Battery(round(sum(percent * full for percent, full in weighed) / whole, 1), in_use)
    return Battery(round(sum(percent for percent, _ in weighed) / len(weighed), 1), in_use)
