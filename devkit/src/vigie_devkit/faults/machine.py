"""What this machine is, and which faults it cannot have."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from vigie_devkit.faults.kit.clocks import available


def machine_in_words() -> str:
    """For the head of a table."""
    return f"{os.cpu_count()} CPUs, Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"


def cannot_do() -> list[str]:
    """Sentences about faults that are not tried here, and why."""
    sentences = []
    if os.geteuid() != 0:
        sentences.append("not root: disks that are full cannot be mounted, those faults will fail")
    if not available():
        sentences.append("libfaketime is not installed: no clock jumps")
    if not _has_netem():
        sentences.append("this kernel has no netem: no slow or lossy link; a hub that delays stands for it")
    if not Path("/dev/mapper/control").exists() or shutil.which("dmsetup") is None or not _has_mapper():
        sentences.append("this kernel has no device mapper: no EIO and no slow disk by dm-flakey or dm-delay")
    return sentences


def _has_netem() -> bool:
    if shutil.which("unshare") is None or shutil.which("tc") is None or os.geteuid() != 0:
        return False
    script = "tc qdisc add dev lo root netem delay 1ms"
    return subprocess.run(["unshare", "-n", "sh", "-c", script], check=False, capture_output=True).returncode == 0


def _has_mapper() -> bool:
    return subprocess.run(["dmsetup", "version"], check=False, capture_output=True).returncode == 0
