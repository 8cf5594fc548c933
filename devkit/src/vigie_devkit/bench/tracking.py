"""Tracking quality on rendered truth: our tracker beside ByteTrack and SORT of the package ``trackers``.

``python -m vigie_devkit.bench.tracking [--environment FOLDER]``. The package needs half a gigabyte of others, so it is
installed into an environment of its own, which is made on first use and never part of the product.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import vigie.vision
from vigie_devkit.bench.tracking_scenes import TrackedFrame, belt, times, walkers

PACKAGE = "trackers==2.6.1"
OBJECTS = (5, 20, 100)
RATES = (5.0, 15.0, 30.0)


def sequences(seconds: float, seed: int) -> Iterator[tuple[str, float, list[TrackedFrame]]]:
    """Name, frames per second and frames of each; the last of a scene drops frames as a busy device does."""
    for scene, make in (("belt", belt), ("walkers", walkers)):
        for objects in OBJECTS:
            for fps in RATES:
                at_s = times(fps, seconds)
                yield f"{scene}-{objects:03}-{fps:02.0f}", fps, list(make(objects, at_s, seed))
        uneven_s = times(15.0, seconds, uneven=True)
        yield f"{scene}-020-uneven", 15.0, list(make(20, uneven_s, seed))


def write(folder: Path, name: str, fps: float, frames: list[TrackedFrame]) -> None:
    """One file per sequence, for an environment that has NumPy and nothing of ours."""
    arrays = {"frames": np.array(len(frames)), "fps": np.array(fps), "times": np.array([one.at_s for one in frames])}
    for number, one in enumerate(frames):
        arrays |= {
            f"ids{number}": one.truth_ids,
            f"truth{number}": one.truth_xyxy,
            f"boxes{number}": one.boxes_xyxy,
            f"scores{number}": one.scores,
            f"classes{number}": one.class_ids,
        }
    np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]  # keywords are arrays, numpy's stub lists allow_pickle


def environment(folder: Path) -> Path:
    """The interpreter of an environment with the package; made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


def main() -> int:
    """Print a line per sequence: each figure of each tracker."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--environment", type=Path, default=Path.home() / ".cache" / "vigie" / "bench-trackers")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each sequence (default 30)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    python = environment(args.environment)
    source = Path(next(iter(vigie.vision.__path__))).parent.parent
    child = Path(__file__).with_name("tracking_child.py")
    with tempfile.TemporaryDirectory(prefix="vigie-tracking-") as folder:
        for name, fps, frames in sequences(args.seconds, args.seed):
            write(Path(folder), name, fps, frames)
        env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        answer = subprocess.run([python, child, folder], env=env, check=True, stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{'sequence':20} {'tracker':10} {'IDF1':>6} {'HOTA':>6} {'MOTA':>6} {'switches':>8} {'ids':>5} {'ms':>6}")
    for row in rows:
        print(
            f"{row['sequence']:20} {row['tracker']:10} {row['idf1']:6.1f} {row['hota']:6.1f} {row['mota']:6.1f} "
            f"{row['switches']:8} {row['ids']:5} {row['ms']:6.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
