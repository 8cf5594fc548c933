"""All faults by name: those of processes, and those of containers."""

from __future__ import annotations

from vigie_devkit.faults.fault import Fault
from vigie_devkit.faults.kit.cameras import camera_faults
from vigie_devkit.faults.kit.clocks import clock_faults
from vigie_devkit.faults.kit.container_limits import container_limit_faults
from vigie_devkit.faults.kit.containers import container_faults
from vigie_devkit.faults.kit.disks import disk_faults
from vigie_devkit.faults.kit.engines import engine_faults
from vigie_devkit.faults.kit.files import file_faults
from vigie_devkit.faults.kit.floods import flood_faults
from vigie_devkit.faults.kit.hubs import hub_faults
from vigie_devkit.faults.kit.limits import limit_faults
from vigie_devkit.faults.kit.links import link_faults
from vigie_devkit.faults.kit.mounts import mount_faults
from vigie_devkit.faults.kit.processes import process_faults


def all_faults() -> dict[str, Fault]:
    """In the order in which they are tried: those that share a system one after the other."""
    faults = [
        *process_faults(),
        *hub_faults(),
        *flood_faults(),
        *limit_faults(),
        *file_faults(),
        *camera_faults(),
        *disk_faults(),
        *clock_faults(),
        *link_faults(),
        *engine_faults(),
        *mount_faults(),
    ]
    return _grouped(faults)


def all_container_faults() -> dict[str, Fault]:
    """As above, of the system as containers."""
    return _grouped([*container_faults(), *container_limit_faults()])


def _grouped(faults: list[Fault]) -> dict[str, Fault]:
    setups = [one.setup.name for one in faults]
    return {one.name: one for one in sorted(faults, key=lambda one: setups.index(one.setup.name))}
