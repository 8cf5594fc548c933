"""The process that measures one candidate once, `python -m` this file: request in, answer out.

It opens the candidate as the module would serve it, so an isolated engine's transport is in the figures. Whatever a
driver does to this process, the parent reads the reason from how it ended.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import ProviderError, VigieError
from vigie.models import Bundle, load_bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import Engine, EngineSettings
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie.runtimes.engines.opening import open_to_serve
from vigie.runtimes.hardware import probe
from vigie.runtimes.hardware.energy import open_meter
from vigie.runtimes.lifeline import end_with_parent, yield_to_others
from vigie.runtimes.measuring.footprint import cpu_seconds, pss_mb
from vigie.runtimes.measuring.measurement import ProcessTrial
from vigie.runtimes.parity import ParityResult, judge
from vigie.runtimes.proof import Proof
from vigie.runtimes.reference_frames import reference_frames

_WARM_RUNS = 3


class MeasureRequest(msgspec.Struct, frozen=True):
    """``judge``: parity and proof too. Timing ends after ``runs`` or, from ``runs_min`` on, ``seconds``."""

    lifeline: int
    answer: int
    folder: str
    digest: str
    candidate: Candidate
    judge: bool
    parity_min: float | None
    runs: int
    runs_min: int
    seconds: float
    load_limit_s: float
    nice: int
    cache: str | None = None


class MeasureAnswer(msgspec.Struct, frozen=True):
    """What the process found; ``refusal`` is set in place of all else."""

    trial: ProcessTrial | None = None
    parity: ParityResult | None = None
    proof: Proof | None = None
    refusal: str = ""
    slug: str = ""


def measure(request: MeasureRequest) -> MeasureAnswer:
    """Load, judge, time. Raises: VigieError: the engine refuses or fails."""
    bundle = load_bundle(Path(request.folder), digest=request.digest)
    frames = reference_frames(bundle)
    settings = EngineSettings(cache=None if request.cache is None else Path(request.cache))
    begun = time.perf_counter()
    with open_to_serve(bundle, request.candidate, settings, load_limit_s=request.load_limit_s) as engine:
        load_s = time.perf_counter() - begun
        if isinstance(engine, IsolatedEngine):
            engine.run_limit_s = request.load_limit_s  # the parent knows how much of it was waiting for a CPU
        tensors = [tensor for tensor, _ in frames] or [_noise(bundle)]
        first_ms = _timed_ms(engine.run, tensors[0])
        parity = judge(bundle.card, engine.run, frames, minimum=request.parity_min) if request.judge else None
        if parity is not None and not parity.passed:
            return MeasureAnswer(parity=parity)
        trial = _trial(engine, tensors, request, loaded=(load_s, first_ms))
        return MeasureAnswer(trial, parity, engine.prove() if request.judge else None)


def _trial(
    engine: Engine, tensors: list[NDArray[np.uint8]], request: MeasureRequest, *, loaded: tuple[float, float]
) -> ProcessTrial:
    """``loaded``: seconds of loading and milliseconds of the first run, for the record."""
    meter = open_meter(probe())
    pids = [os.getpid(), *([engine.pid] if isinstance(engine, IsolatedEngine) else [])]
    runners = [Runner(engine, tensors, request) for _ in range(request.candidate.runs)]
    with ThreadPoolExecutor(len(runners)) as pool:
        for warm in [pool.submit(runner.warm) for runner in runners]:
            warm.result()
        joules_begun = meter.joules() if meter is not None else None
        cpu_begun, begun = sum(map(cpu_seconds, pids)), time.perf_counter()
        times = [ms for timed in [pool.submit(runner.timed) for runner in runners] for ms in timed.result()]
        took_s, cpu_s = time.perf_counter() - begun, sum(map(cpu_seconds, pids)) - cpu_begun
    joules_ended = meter.joules() if meter is not None else None
    used = None if joules_begun is None or joules_ended is None else (joules_ended - joules_begun) / len(times)
    p10, p50, p95, p99 = (float(value) for value in np.percentile(times, (10, 50, 95, 99)))
    return ProcessTrial(
        load_s=round(loaded[0], 4),
        first_ms=round(loaded[1], 3),
        runs=len(times),
        p50_ms=round(p50, 4),
        p95_ms=round(p95, 4),
        p99_ms=round(p99, 4),
        per_s=round(len(times) / took_s, 3),
        cpu_ms=round(cpu_s * 1e3 / len(times), 4),
        pss_mb=round(sum(map(pss_mb, pids)), 1),
        joules=None if used is None else round(used, 6),
        meter="" if meter is None or used is None else meter.domain,
        p10_ms=round(p10, 4),
    )


class Runner:
    """One of the threads that run at a time, as the module's workers do."""

    def __init__(self, engine: Engine, tensors: list[NDArray[np.uint8]], request: MeasureRequest) -> None:
        self._engine, self._tensors, self._request = engine, tensors, request

    def warm(self) -> None:
        for turn in range(_WARM_RUNS):
            self._engine.run(self._tensors[turn % len(self._tensors)])

    def timed(self) -> list[float]:
        """Milliseconds of each run."""
        request, tensors, begun = self._request, self._tensors, time.perf_counter()
        runs = max(1, request.runs // request.candidate.runs)
        times: list[float] = []
        while len(times) < runs and (len(times) < request.runs_min or time.perf_counter() - begun < request.seconds):
            times.append(_timed_ms(self._engine.run, tensors[len(times) % len(tensors)]))
        return times


def _timed_ms(run: Callable[[NDArray[np.uint8]], list[NDArray[Any]]], tensor: NDArray[np.uint8]) -> float:
    begun = time.perf_counter()
    run(tensor)
    return (time.perf_counter() - begun) * 1e3


def _noise(bundle: Bundle) -> NDArray[np.uint8]:
    """For a bundle without reference frames: something to compute on; it proves nothing."""
    shape = (bundle.card.input.height, bundle.card.input.width, 3)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def main(argument: str) -> int:
    request = msgspec.json.decode(argument, type=MeasureRequest)
    end_with_parent(request.lifeline)
    yield_to_others(request.nice)
    try:
        answer = measure(request)
    except VigieError as error:
        answer = MeasureAnswer(refusal=str(error)[:2000], slug=error.slug)
    except ImportError as error:
        answer = MeasureAnswer(refusal=f"a library is missing: {error}", slug=ProviderError.slug)
    with os.fdopen(request.answer, "wb") as out:
        out.write(msgspec.json.encode(answer))
    sys.stdout.flush()
    # A driver that hangs or crashes while it unloads has been measured all the same.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
