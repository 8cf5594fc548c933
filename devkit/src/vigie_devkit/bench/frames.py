"""What the ring costs: hand-over of a 720p frame between two processes, a lease, a write. ``python -m ... [--json]``.

The reference travels through a pipe, so the hub's time is excluded (the bar: p50 < 1 ms).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from vigie.contracts.pixels import RingReference
from vigie.frames.reader import RingPool
from vigie.frames.writer import RingWriter

SHAPE = (720, 1280, 3)
SLOTS = 8
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where a ring lies on a device


class RingFigures(msgspec.Struct, frozen=True):
    """Hand-over in ms from before the writer's copy to the reader's view; the rest in microseconds a call.

    ``copy_p50_ms`` is the control: a bare copy of the frame at the same pace, which no hand-over with a copy can beat.
    """

    frames: int
    fps: float
    handover_p50_ms: float
    handover_p99_ms: float
    copy_p50_ms: float
    lease_us: float
    write_us: float
    slot_us: float


def measure(frames: int, fps: float) -> RingFigures:
    """Run both parts; ``slot_us`` is a write without its copy."""
    folder = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="vigie-bench-", dir=folder) as made:
        delays_ms = np.sort(_handover_ms(Path(made), frames, fps))
        lease_us, write_us, slot_us = _calls_us(Path(made))
    return RingFigures(
        frames,
        fps,
        round(float(np.quantile(delays_ms, 0.5)), 3),
        round(float(np.quantile(delays_ms, 0.99)), 3),
        round(float(np.median(_copies_ms(frames, fps))), 3),
        round(lease_us, 2),
        round(write_us, 1),
        round(slot_us, 2),
    )


def _handover_ms(folder: Path, frames: int, fps: float) -> list[float]:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    writer = context.Process(target=_write, args=(folder, send, frames, fps), daemon=True)
    writer.start()
    send.close()
    delays_ms = []
    with RingPool(folder) as pool:
        while True:
            try:
                started_ns, wire = receive.recv()
            except EOFError:
                break
            with pool.lease(msgspec.json.decode(wire, type=RingReference)):
                delays_ms.append((time.monotonic_ns() - started_ns) / 1e6)
    writer.join()
    return delays_ms


def _write(folder: Path, send: Connection, frames: int, fps: float) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, SHAPE, np.uint8)
    frame_bgr = np.empty_like(pixels)
    with RingWriter.open(folder, "bench", slot_bytes=frame_bgr.nbytes, slots=SLOTS) as ring:
        due = time.monotonic()
        for _ in range(frames):
            due += 1 / fps
            time.sleep(max(0.0, due - time.monotonic()))
            np.copyto(frame_bgr, pixels)  # as a decoder has just done: the frame is in the cache, the slot is not
            started_ns = time.monotonic_ns()
            reference = ring.write(frame_bgr)
            send.send((started_ns, msgspec.json.encode(reference)))
    send.close()


def _copies_ms(frames: int, fps: float) -> list[float]:
    pixels = np.random.default_rng(1).integers(0, 256, SHAPE, np.uint8)
    frame_bgr = np.empty_like(pixels)
    slots = [np.ones(SHAPE, np.uint8) for _ in range(SLOTS)]
    copies_ms = []
    due = time.monotonic()
    for n in range(frames):
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        np.copyto(frame_bgr, pixels)
        started_ns = time.monotonic_ns()
        np.copyto(slots[n % SLOTS], frame_bgr)
        copies_ms.append((time.monotonic_ns() - started_ns) / 1e6)
    return copies_ms


def _calls_us(folder: Path, rounds: int = 5_000) -> tuple[float, float, float]:
    frame_bgr = np.zeros(SHAPE, np.uint8)
    with RingWriter.open(folder, "calls", slot_bytes=frame_bgr.nbytes, slots=SLOTS) as ring, RingPool(folder) as pool:
        reference = ring.write(frame_bgr)
        if reference is None:
            raise RuntimeError("a ring without readers has a free slot")
        started = time.perf_counter()
        for _ in range(rounds):
            with pool.lease(reference):
                pass
        leased = time.perf_counter()
        for _ in range(rounds // 10):
            ring.write(frame_bgr)
        written = time.perf_counter()
        for _ in range(rounds):
            with ring.slot(SHAPE) as view:
                if view is not None:
                    view.commit()
        ended = time.perf_counter()
    return (
        (leased - started) / rounds * 1e6,
        (written - leased) / (rounds // 10) * 1e6,
        (ended - written) / rounds * 1e6,
    )


def main() -> None:
    """Print the figures, one a line or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    figures = msgspec.to_builtins(measure(wanted.frames, wanted.fps))
    if wanted.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
