"""Which decoders in hardware a container may try: by its device files. Loads no library."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Accelerator:
    """``device_type``: FFmpeg's name; ``nodes``: device files that must be there."""

    device_type: str
    nodes: tuple[str, ...]


# What the pinned PyAV's FFmpeg was built with and needs no surface of a display server.
ACCELERATORS: Final = (Accelerator("cuda", ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm")),)


def present(exists: Callable[[str], bool] = os.path.exists) -> tuple[Accelerator, ...]:
    """Those whose device files this container has."""
    return tuple(one for one in ACCELERATORS if all(exists(node) for node in one.nodes))


def device_nodes() -> Iterator[Path]:
    """What a decoder with hardware must open to write."""
    for accelerator in present():
        yield from map(Path, accelerator.nodes)
