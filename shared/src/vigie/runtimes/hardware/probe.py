"""``probe``: one report of this machine, or of any tree of files that looks like one."""

from __future__ import annotations

import platform
import sysconfig
from pathlib import Path

from vigie.runtimes.hardware.accelerators import find_devices
from vigie.runtimes.hardware.ask import ask_runtimes
from vigie.runtimes.hardware.cpu import read_cpu, read_memory
from vigie.runtimes.hardware.libraries import find_libraries
from vigie.runtimes.hardware.own_image import read_own_image
from vigie.runtimes.hardware.packages import installed_packages
from vigie.runtimes.hardware.report import HardwareReport, Installed, RuntimeAnswers
from vigie.runtimes.hardware.sensors import find_energy_sensors, find_thermal_sensors, in_container, power_mode
from vigie.runtimes.hardware.tree import ProcessIdentity, Tree


def probe(
    root: Path = Path("/"),
    *,
    machine: str | None = None,
    identity: ProcessIdentity | None = None,
    packages: tuple[Installed, ...] | None = None,
    ask: bool = False,
) -> HardwareReport:
    """Look at the hardware; some 15 ms of CPU, nothing is loaded.

    Args: root: where /proc, /sys, /dev and /usr lie. machine: ``x86_64``, ``aarch64``; ``None`` = this one's.
        identity: who would open the devices; ``None`` = this process. packages: runtimes; ``None`` = those here.
        ask: also let the runtimes say what they see, each in a child process that may take seconds.
    """
    tree = Tree(root, identity or ProcessIdentity.of_this_process())
    live = root == root.parent
    site = sysconfig.get_path("purelib").lstrip("/") if live else ""
    libraries = find_libraries(tree, packages=site)
    here = installed_packages() if packages is None else packages
    asked: RuntimeAnswers | None = ask_runtimes(here) if ask else None
    return HardwareReport(
        board=_board(tree),
        kernel=tree.text("proc/sys/kernel/osrelease"),
        system=tree.value("etc/os-release", "PRETTY_NAME").strip('"'),
        glibc=platform.libc_ver()[1] if live else "",
        in_container=in_container(tree),
        cpu=read_cpu(tree, machine or platform.machine()),
        memory=read_memory(tree),
        devices=find_devices(tree, libraries),
        energy=find_energy_sensors(tree, libraries),
        thermal=find_thermal_sensors(tree),
        libraries=libraries,
        power_mode=power_mode(tree),
        packages=here,
        asked=asked,
        image=read_own_image(tree),
    )


def _board(tree: Tree) -> str:
    """The device tree's model on ARM; vendor and product of the DMI tables on PCs."""
    model = tree.text("proc/device-tree/model")
    if model:
        return model
    vendor, product = (tree.text(f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    return f"{vendor} {product}".strip()
