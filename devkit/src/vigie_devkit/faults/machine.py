"""What this machine is, and which faults it cannot have."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field

from vigie_devkit.faults.bad_disk import available as bad_disks_available
from vigie_devkit.faults.kit.clocks import available


def machine_in_words() -> str:
    """For the head of a table."""
    return f"{os.cpu_count()} CPUs, Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"


@dataclass
class LoadAverage:
    """What else the machine did: its load average of a minute, whenever it was looked at."""

    seen: list[float] = field(default_factory=lambda: [os.getloadavg()[0]])

    def look(self) -> None:
        self.seen.append(os.getloadavg()[0])

    def words(self) -> str:
        return f"load {min(self.seen):.0f} to {max(self.seen):.0f}"


def cannot_do() -> list[str]:
    """Sentences about faults that are not tried here, and why."""
    sentences = []
    if os.geteuid() != 0:
        sentences.append("not root: disks that are full cannot be mounted, those faults will fail")
    if not available():
        sentences.append("libfaketime is not installed: no clock jumps")
    if not _has_netem():
        sentences.append("this kernel has no netem: a relay stands for a slow and lossy link")
    if not bad_disks_available():
        sentences.append("no fusepy, libfuse2 or /dev/fuse: no disk that is slow or fails (EIO), no mount that hangs")
    return sentences


def _has_netem() -> bool:
    if shutil.which("unshare") is None or shutil.which("tc") is None or os.geteuid() != 0:
        return False
    script = "tc qdisc add dev lo root netem delay 1ms"
    return subprocess.run(["unshare", "-n", "sh", "-c", script], check=False, capture_output=True).returncode == 0
