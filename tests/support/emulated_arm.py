"""Programs for ARM64 under QEMU's user emulation.

QEMU 7.2 passes the host's /proc/cpuinfo on, which describes an x86-64 processor. ONNX Runtime above 1.27 (pytorch's
cpuinfo in it) then counts no L2 cache while /sys shows one for each core, and writes through a null pointer when its
library is loaded (pytorch/cpuinfo pull request 398). An ARM file bound over it is what a real ARM machine shows.
"""

from __future__ import annotations

import os
from pathlib import Path

# A Neoverse-N1's, as Fedora's builders show it.
_FACTS = """BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""


def arm_cpuinfo(folder: Path) -> Path:
    """A file to bind over /proc/cpuinfo: as many processors as this machine has."""
    path = folder / "cpuinfo"
    path.write_text("\n".join(f"processor\t: {number}\n{_FACTS}" for number in range(os.cpu_count() or 1)))
    return path


def words(folder: Path) -> list[str]:
    """For ``docker run``. ``--init``: an emulated program that is process 1 survives its own crash and hangs."""
    return ["--init", "--volume", f"{arm_cpuinfo(folder)}:/proc/cpuinfo:ro"]
