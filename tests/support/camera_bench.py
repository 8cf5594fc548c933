"""Eight cameras at 15 fps, with and without the motion gate: ``python -m support.camera_bench``.

Real H.264 files played in real time by eight decoders; a consumer that takes every frame as preprocess would. Prints
frames per second and camera, delay from capture to consumer (p50, p95), drops by reason, frames that the gate kept,
and CPU per frame of the module and its decoders. Scenes are still but for a thing that crosses in 4 of 12 seconds.
``--twelve``: how long twelve cameras, four of them dead, take until the good ones flow.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from support.camera_module import camera_module, until
from support.motion_bench import FPS, encode

CAMERAS = 8


def cpu_s() -> float:
    """CPU time of this process and of all below it, also of those that have ended."""
    total = 0.0
    parents: dict[int, int] = {}
    ticks: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid], ticks[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / 100
    mine = {int(Path("/proc/self").resolve().name)}
    while more := {pid for pid, parent in parents.items() if parent in mine and pid not in mine}:
        mine |= more
    for pid in mine:
        total += ticks.get(pid, 0.0)
    return total


async def run(folder: Path, video: Path, seconds: float, *, gate: bool) -> str:
    settings: dict[str, Any] = {"source": str(video), "pace": "realtime", "loop": True}
    if gate:
        settings["motion"] = {"every_s": 5, "hold_s": 1}
    async with camera_module(folder) as module:
        module.set(**{f"c{number}": settings for number in range(CAMERAS)})
        await until(lambda: len({item.camera for item in module.consumer.items}) == CAMERAS, "all flow", 60)
        delays = module.consumer.delays_ms = []
        await asyncio.sleep(2)
        delays.clear()
        before, cpu_before = module.service.metrics.values(), cpu_s()
        begun = time.monotonic()
        await asyncio.sleep(seconds)
        took, spent = time.monotonic() - begun, cpu_s() - cpu_before
        after = module.service.metrics.values()

    def grown(prefix: str) -> float:
        return sum(value - before.get(name, 0.0) for name, value in after.items() if name.startswith(prefix))

    every = np.array(delays)
    captured = grown("vigie_frames_captured_total")
    drops = {
        name.partition('reason="')[2].partition('"')[0]: int(value - before.get(name, 0.0))
        for name, value in after.items()
        if name.startswith("vigie_items_dropped_total") and value > before.get(name, 0.0)
    }
    return (
        f"| {'on' if gate else 'off'} | {captured / took / CAMERAS:.1f} | {len(every) / took / CAMERAS:.1f} "
        f"| {np.percentile(every, 50):.1f} | {np.percentile(every, 95):.1f} | {drops or 'none'} "
        f"| {grown('vigie_frames_gated_total'):.0f} | {spent / max(1, captured) * 1e3:.2f} |"
    )


async def twelve(folder: Path) -> float:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        dead = {f"dead-{n}": {"source": f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live"} for n in range(4)}
        good = {f"good-{n}": {"source": f"synthetic://conveyor?seed={n}&size=640x480&fps=15"} for n in range(8)}
        async with camera_module(folder) as module:
            begun = time.monotonic()
            module.set(**dead, **good)
            await until(lambda: {item.camera for item in module.consumer.items} >= good.keys(), "all flow", 60)
            return time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--twelve", action="store_true", help="time to flow beside four dead cameras, three times")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.twelve:
            took = [asyncio.run(twelve(folder / str(turn))) for turn in range(3)]
            print(f"8 good cameras of 12 flow after {', '.join(f'{one:.2f}' for one in took)} s (bar: 5)")
            return 0
        width, height = map(int, args.size.split("x"))
        video = encode(folder / "scene.mp4", "crossing", (width, height), 12, "-c:v libx264 -preset veryfast -g 30")
        print(f"{CAMERAS} cameras of {args.size} at {FPS} fps, {args.seconds:.0f} s each\n")
        print("| gate | captured/s | sent/s | delay p50 ms | p95 ms | drops | gated | CPU ms per captured frame |")
        print("|---|---|---|---|---|---|---|---|")
        for gate in (False, True):
            print(asyncio.run(run(folder / str(gate), video, args.seconds, gate=gate)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
