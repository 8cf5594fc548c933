"""Modules started as after a power cut on a site without hub: their state folders are there, nothing answers."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack

import msgspec

from vigie.contracts.names import CAMERA, INFERENCE
from vigie_devkit.local.frame_folders import temporary_frames
from vigie_devkit.local.metrics import MetricTotals, fetch_metrics
from vigie_devkit.local.paths import RunPaths, frames_root
from vigie_devkit.local.product import ProductError
from vigie_devkit.local.programs import python

_LOOK_EVERY_S = 0.02
_WITHIN_S = 60.0


class Booted(msgspec.Struct, frozen=True):
    """Seconds from the start of the processes."""

    capturing_s: float
    serving_s: float
    answering_s: float


def boot_offline(environments: Mapping[str, Mapping[str, str]], run: RunPaths) -> Booted:
    """Start all modules at once and watch them until the camera captures and the model serves; then end them.

    Raises: ProductError: they never do.
    """
    with ExitStack() as stack:
        frames = str(stack.enter_context(temporary_frames("offline", frames_root())))
        begun = time.monotonic()
        processes = {
            module: stack.enter_context(_Module(module, {**environment, "VIGIE_FRAMES": frames}, run))
            for module, environment in environments.items()
        }
        return asyncio.run(_watch({module: process.pid for module, process in processes.items()}, run, begun))


class _Module:
    """A module's process as a context; killed on leaving: how it stops is not measured here."""

    def __init__(self, module: str, environment: Mapping[str, str], run: RunPaths) -> None:
        self._command, self._environment = python(f"vigie_{module}"), environment
        self._log = run.logs / f"offline-{module}.log"

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, env=dict(self._environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


async def _watch(pids: Mapping[str, int], run: RunPaths, begun: float) -> Booted:
    answered: dict[str, float] = {}
    capturing_s = serving_s = None
    tally = MetricTotals()
    while time.monotonic() - begun < _WITHIN_S:
        for module, pid in pids.items():
            samples = await fetch_metrics(run.module(module), pid)
            if samples is not None:
                answered.setdefault(module, time.monotonic() - begun)
                tally.add(module, pid, samples)
        now_s = time.monotonic() - begun
        if capturing_s is None and tally.total("vigie_frames_captured_total", CAMERA):
            capturing_s = now_s
        if serving_s is None and tally.total("vigie_runtime_info", INFERENCE):
            serving_s = now_s
        if capturing_s is not None and serving_s is not None and len(answered) == len(pids):
            return Booted(capturing_s, serving_s, max(answered.values()))
        await asyncio.sleep(_LOOK_EVERY_S)
    raise ProductError(f"offline, the modules were not usable within {_WITHIN_S:.0f} s; logs in {run.logs}")
