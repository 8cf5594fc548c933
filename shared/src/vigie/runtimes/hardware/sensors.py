"""Energy and thermal sensors: which there are, and which this process may read."""

from __future__ import annotations

import os
from collections.abc import Iterator

from vigie.runtimes.hardware.report import Sensor
from vigie.runtimes.hardware.tree import Tree

# Docker masks /sys/devices/virtual/powercap (GHSA-jq35-85cj-fj4p): a host may mount it elsewhere, read only.
POWERCAP = ("sys/class/powercap", "host/powercap")


def find_energy_sensors(tree: Tree, libraries: dict[str, str]) -> tuple[Sensor, ...]:
    """The best first: whole board, then CPU package, then single devices."""
    return (*_ina3221(tree), *_rapl(tree), *_hwmon(tree), *_nvml(tree, libraries))


def find_thermal_sensors(tree: Tree) -> tuple[Sensor, ...]:
    """Thermal zones."""
    found = []
    for path in tree.glob("sys/class/thermal/thermal_zone*"):
        readable = tree.number(f"{path}/temp") is not None
        why_not = "" if readable else "it gives no temperature"
        found.append(Sensor("thermal", tree.text(f"{path}/type") or "unknown", f"/{path}/temp", readable, why_not))
    return tuple(found)


def _ina3221(tree: Tree) -> Iterator[Sensor]:
    """Jetson's power monitors: total = VDD_IN; where there is none (AGX), the sum of the rails."""
    rails = []
    for label in tree.glob("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[0-9]_label"):
        name = tree.text(label)
        if name and not name.startswith("NC") and tree.number(label.replace("_label", "_input")) is not None:
            rails.append((name, label.removesuffix("_label")))
    total = [rail for rail in rails if rail[0] == "VDD_IN"]
    for name, path in total or rails:
        yield Sensor("ina3221", f"board:{name}", f"/{path}_input", usable=True)


def _rapl(tree: Tree) -> Iterator[Sensor]:
    """CPU packages only: core and dram are parts of a package, and psys overlaps it."""
    for top in POWERCAP:
        for path in tree.glob(f"{top}/intel-rapl:[0-9]*"):
            if path.count(":") > 1 or not tree.text(f"{path}/name").startswith("package"):
                continue
            counter = f"{path}/energy_uj"
            if tree.number(counter) is not None:
                yield Sensor("rapl", tree.text(f"{path}/name"), f"/{counter}", usable=True)
            else:
                yield Sensor(
                    "rapl",
                    tree.text(f"{path}/name"),
                    f"/{counter}",
                    usable=False,
                    why_not="only root may read it (CVE-2020-8694)",
                    remedy="opt in on the host: mount powercap at /host/powercap, readable for the module's user",
                )


def _hwmon(tree: Tree) -> Iterator[Sensor]:
    for path in tree.glob("sys/class/hwmon/hwmon*"):
        name = tree.text(f"{path}/name")
        if name == "ina3221":
            continue
        for file, kind in (
            ("energy1_input", "hwmon-energy"),
            ("power1_average", "hwmon-power"),
            ("power1_input", "hwmon-power"),
        ):
            if tree.number(f"{path}/{file}") is not None:
                yield Sensor(kind, name or "unknown", f"/{path}/{file}", usable=True)
                break


def _nvml(tree: Tree, libraries: dict[str, str]) -> Iterator[Sensor]:
    if "libnvidia-ml.so.1" in libraries and any(tree.glob("dev/nvidia[0-9]*")):
        yield Sensor("nvml", "gpu", libraries["libnvidia-ml.so.1"], usable=True)


def power_mode(tree: Tree) -> str:
    """What slows the machine down on purpose: Jetson's nvpmodel, else the CPU's governor; empty if unknown."""
    mode = tree.text("var/lib/nvpmodel/status")
    governor = tree.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return " ".join(part for part in (f"nvpmodel {mode}" if mode else "", governor) if part)


def in_container(tree: Tree) -> bool:
    """Docker and Podman leave a file; IoT Edge's modules run under Docker."""
    return tree.exists(".dockerenv") or tree.exists("run/.containerenv") or bool(os.environ.get("IOTEDGE_MODULEID"))
