"""Random faults of cameras and the slopes of what their module holds: ``python -m support.camera_soak``.

Six cameras: two over RTSP (GStreamer), one MJPEG over HTTP, one synthetic, one dead, one on a silent port. Every few
seconds a server is killed or hangs, a decoder is killed, a camera is reconnected, restarted, changed, removed or asked
for a picture. Module, consumer and servers are real; the hub is the one in memory. Ends with a table of slopes, and
exit code 1 where something grows or a healthy camera did not come back.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.camera_module import CameraModule, camera_module
from support.rtsp import RtspServer, rtsp_server
from support.web_camera import web_camera
from vigie_devkit.faults.slopes import ProcessSample, describe, slopes

BACK_WITHIN_S = 90.0
SAMPLE_S = 15.0
GOOD = ("door", "gate", "web", "belt")


def held() -> tuple[dict[str, float], int]:
    """What this process holds now, and how many children it has."""
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    pss_kb = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    me = os.getpid()
    children = [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (fields := _fields(stat)) and int(fields[1]) == me and fields[0] != "Z"
    ]
    return {
        "memory_mb": pss_kb / 1024,
        "threads": float(len(list(Path("/proc/self/task").iterdir()))),
        "handles": float(len(list(Path("/proc/self/fd").iterdir()))),
    }, len(children)


def _fields(stat: Path) -> list[str]:
    """State, parent and the rest; empty: it has ended."""
    try:
        return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


class Faults:
    """What may happen next."""

    def __init__(
        self, module: CameraModule, sources: dict[str, dict[str, Any]], servers: dict[str, RtspServer]
    ) -> None:
        self._module, self._sources, self._servers = module, sources, servers
        self.counts: dict[str, int] = {}
        self.late: list[str] = []

    async def one(self) -> None:
        """One fault, and its end: the camera gives frames again."""
        kind = random.choice(("kill", "hang", "decoder", "reconnect", "restart", "change", "remove", "snapshot"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        name = random.choice(GOOD)
        module = self._module
        match kind:
            case "kill" | "hang":
                name = random.choice(list(self._servers))
                server = self._servers[name]
                (server.kill if kind == "kill" else server.hang)()
                await asyncio.sleep(random.uniform(1, 9))
                (server.start if kind == "kill" else server.wake)()
            case "decoder":
                pid = module.cameras.find(name).decoder_pid
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
            case "reconnect" | "restart":
                method = "reconnect" if kind == "reconnect" else "restart_camera"
                await module.invoke(method, {"camera": name})
            case "change":
                self._sources[name]["fps"] = random.choice((5, 10, 15))
                module.set(**self._sources)
            case "remove":
                module.set(**{one: source for one, source in self._sources.items() if one != name})
                await asyncio.sleep(random.uniform(0.5, 3))
                module.set(**self._sources)
            case "snapshot":
                await module.invoke("snapshot", {"camera": name, "width": 320})
        await self.back(name, kind)

    async def back(self, name: str, kind: str) -> None:
        before = self._seen(name)
        deadline = time.monotonic() + BACK_WITHIN_S
        while time.monotonic() < deadline:
            if self._seen(name) > before + 3:
                return
            await asyncio.sleep(0.1)
        self.late.append(f"{name} after {kind}: {self._module.state(name)}")

    def _seen(self, name: str) -> float:
        return self._module.metric(f'vigie_frames_captured_total{{camera="{name}"}}')


async def soak(minutes: float, folder: Path) -> int:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(64)
    with rtsp_server("pattern:ball") as door, rtsp_server("pattern:snow") as gate, web_camera() as web:
        sources: dict[str, dict[str, Any]] = {
            "door": {"source": f"rtsp://{door.address}"},
            "gate": {"source": f"rtsp://{gate.address}"},
            "web": {"source": web.url("/mjpeg"), "fps": 10},
            "belt": {"source": "synthetic://conveyor?size=160x120&fps=10"},
            "dead": {"source": "rtsp://127.0.0.1:9/live"},
            "mute": {"source": f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live"},
        }
        async with camera_module(folder) as module:
            module.set(**sources)
            faults = Faults(module, sources, {"door": door, "gate": gate})
            for name in GOOD:
                await faults.back(name, "start")
            samples: list[ProcessSample] = []
            began = sampled = time.monotonic()
            while (now := time.monotonic()) - began < minutes * 60:
                await faults.one()
                # What the harness remembers is not the module's.
                for memory in (module.consumer.items, module.consumer.gone, module.consumer.means, web.asked):
                    memory.clear()
                module.listener.events.clear()
                if now - sampled >= SAMPLE_S:
                    sampled = now
                    mine, children = held()
                    samples.append(ProcessSample(now - began, "camera", os.getpid(), mine))
                    samples.append(ProcessSample(now - began, "children", os.getpid(), {"threads": float(children)}))
                await asyncio.sleep(random.uniform(0, 3))
    silent.close()
    return report(faults, samples, (time.monotonic() - began) / 60)


def report(faults: Faults, samples: list[ProcessSample], minutes: float) -> int:
    what = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.counts.items()))
    print(f"{minutes:.1f} minutes, {sum(faults.counts.values())} faults: {what}\n")
    found = slopes(samples)
    print(describe(found))
    for text in faults.late:
        print(f"not back within {BACK_WITHIN_S:.0f} s: {text}")
    return 1 if faults.late or any(one.grows for one in found) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=32.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random.seed(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(soak(args.minutes, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
