"""A child of ``vigie_devkit.quantize.speed``: loads one file, runs it, prints its times."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from vigie_devkit.quantize.ranges import open_session

WARM_UP = 3


def main(file: str, threads: int, runs: int) -> None:
    """Print ``{"cpu_ms", "wall_ms"}``: medians of ``runs`` after the warm-up, on noise (its values cost the same)."""
    session = open_session(Path(file).read_bytes(), threads=threads)
    port = session.get_inputs()[0]
    frame = np.random.default_rng(1).integers(0, 256, port.shape, np.uint8)
    cpu_ms, wall_ms = [], []
    for turn in range(WARM_UP + runs):
        began_cpu, began_wall = time.process_time(), time.perf_counter()
        session.run(None, {port.name: frame})
        if turn >= WARM_UP:
            cpu_ms.append((time.process_time() - began_cpu) * 1000)
            wall_ms.append((time.perf_counter() - began_wall) * 1000)
    print(json.dumps({"cpu_ms": statistics.median(cpu_ms), "wall_ms": statistics.median(wall_ms)}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
