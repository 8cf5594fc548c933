"""Whether the machine slows itself down now, as its firmware and kernel tell; one that tells nothing has no flags.

Source: raspberrypi/linux pull request 2397 (``get_throttled``); kernel documentation of thermal cooling devices;
drivers/hwmon/raspberrypi-hwmon.c.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from vigie.runtimes.hardware.tree import ProcessIdentity, Tree

# Bits 16 to 19 say the same of the time since the start: of no use to whoever decides now.
_FIRMWARE = ((0, "under-voltage"), (1, "ARM frequency capped"), (2, "throttled"), (3, "soft temperature limit"))
# Fans, backlights and Intel's idle injector are cooling devices as well; these lower the clocks of CPU, GPU or memory.
_LOWERS_CLOCKS = re.compile(r"^((thermal-)?(cpufreq|devfreq)\b.*|Processor|.+-throttle-alert|hot-surface-alert)$")


class Slowing(msgspec.Struct, frozen=True):
    """``flags``: why it is slow now, in words. ``count``: throttling events of all CPUs since the start (x86).

    ``count`` is None where the kernel does not count.
    """

    flags: tuple[str, ...] = ()
    count: int | None = None


def read_slowing(root: Path = Path("/")) -> Slowing:
    tree = Tree(root, ProcessIdentity.of_this_process())
    return Slowing((*_firmware(tree), *_undervoltage(tree), *_cooling(tree)), _count(tree))


def _firmware(tree: Tree) -> list[str]:
    """Raspberry Pi. The file holds hex digits without a prefix: 50005 is 0x50005."""
    for path in tree.glob("sys/devices/platform/soc*/soc*:firmware/get_throttled"):
        try:
            bits = int(tree.text(path), 16)
        except ValueError:
            continue
        return [word for bit, word in _FIRMWARE if bits >> bit & 1]
    return []


def _undervoltage(tree: Tree) -> list[str]:
    """Raspberry Pi where only hwmon tells (the firmware's file is not in every kernel)."""
    for path in tree.glob("sys/class/hwmon/hwmon*/in0_lcrit_alarm"):
        if tree.text(path.replace("in0_lcrit_alarm", "name")) == "rpi_volt" and tree.number(path) == 1:
            return ["under-voltage (hwmon)"]
    return []


def _cooling(tree: Tree) -> list[str]:
    """Cooling devices that lower clocks, while they do."""
    found = []
    for path in tree.glob("sys/class/thermal/cooling_device*"):
        kind, state = tree.text(f"{path}/type"), tree.number(f"{path}/cur_state")
        if state is not None and state > 0 and _LOWERS_CLOCKS.match(kind):
            most = tree.number(f"{path}/max_state")
            found.append(f"{kind} at {state}" + ("" if most is None else f" of {most}"))
    return found


def _count(tree: Tree) -> int | None:
    """Package events are the same in every CPU of a package, so that core events are what can be added up."""
    counts = [
        tree.number(path) for path in tree.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")
    ]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
