"""One candidate under MLPerf's LoadGen, which asks, times and writes its own logs: a yardstick that others know.

Not a submission: the model, its reference frames and the time are the user's own. LoadGen says itself whether a run is
long enough (``VALID``); MLPerf's rules want ten minutes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, VigieError
from vigie.models import Bundle
from vigie.runtimes import Candidate, Engine
from vigie.runtimes.choosing.candidates_here import candidates_here
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.engines.opening import open_to_serve
from vigie.runtimes.parity import judge
from vigie.runtimes.reference_frames import reference_frames
from vigie_devkit.local.errors import Exit, LocalError

Scenario = Literal["single-stream", "multi-stream", "offline"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
DISTRIBUTION = "mlcommons-loadgen"
# Runs before the first question: the first of an engine compiles and allocates.
_WARM_RUNS = 5
# As MLPerf's edge suite has it for detectors.
_SAMPLES_PER_QUERY = 8
_QUERIES_MIN = 64

_FIGURES: dict[Scenario, tuple[str, str, float]] = {
    "single-stream": (r"90\.0th percentile latency \(ns\) : (\d+)", "ms, 90th percentile of one frame", 1e-6),
    "multi-stream": (r"99\.0th percentile latency \(ns\) : (\d+)", "ms, 99th percentile of eight frames", 1e-6),
    "offline": (r"Samples per second: ([\d.]+)", "frames per second", 1.0),
}


class LoadGenResult(msgspec.Struct, frozen=True):
    """``valid``: LoadGen's own verdict, with what it misses in ``why_not``. ``agreement``: with the bundle's reference.

    ``figure`` in ``unit``. ``load``: of the machine before the run, over the minute. ``logs``: LoadGen's files.
    """

    model: str
    candidate: str
    scenario: Scenario
    figure: float
    unit: str
    valid: bool
    why_not: tuple[str, ...]
    agreement: float | None
    frames: int
    seconds: float
    load: float
    version: str
    logs: str


class LoadGenMissingError(LocalError):
    """MLPerf's LoadGen is not installed."""

    exit_code = Exit.ENVIRONMENT

    def __init__(self) -> None:
        super().__init__(
            "MLPerf's LoadGen is not installed; run: .venv/bin/python -m pip install --require-hashes "
            "-r tests/engines-loadgen.lock (x86-64 only)"
        )


def run_loadgen(
    bundle: Bundle, candidate: Candidate, scenario: Scenario, *, seconds: float, logs: Path
) -> LoadGenResult:
    """Open ``candidate`` as the module would, compare it with the reference, and let LoadGen ask for ``seconds``.

    Args: logs: a folder for LoadGen's own logs, made if it is not there; logs of a run before are replaced.
    Raises: LoadGenMissingError; VigieError: it cannot be opened, does not answer as the reference does, or failed
        while it was asked.
    """
    loadgen = _import_loadgen()
    frames = reference_frames(bundle)
    with open_to_serve(bundle, candidate) as engine:
        parity = judge(bundle.card, engine.run, frames, minimum=None) if frames else None
        if parity is not None and not parity.passed:
            raise EngineError(candidate.key, f"does not agree with the bundle's reference: {parity.why}")
        tensors = [tensor for tensor, _ in frames] or [_noise(bundle)]
        logs.mkdir(parents=True, exist_ok=True)
        load = os.getloadavg()[0]
        under = UnderTest(loadgen, engine, tensors, max(1, candidate.runs))
        begun = time.perf_counter()
        under.ask(_settings(loadgen, scenario, seconds, under.warm(), under.at_a_time), len(tensors), logs)
        took_s = time.perf_counter() - begun
    summary = (logs / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    figure, valid, why_not = read_summary(summary, scenario)
    return LoadGenResult(
        model=bundle.card.name,
        candidate=candidate.key,
        scenario=scenario,
        figure=round(figure, 3),
        unit=_FIGURES[scenario][1],
        valid=valid,
        why_not=why_not,
        agreement=None if parity is None else parity.agreement,
        frames=under.answered,
        seconds=round(took_s, 1),
        load=round(load, 1),
        version=metadata.version(DISTRIBUTION),
        logs=str(logs),
    )


def candidate_named(
    bundle: Bundle,
    key: str,
    *,
    emulation: bool = False,
    remote: Mapping[str, str] | None = None,
    delegate: NamedDelegate | None = None,
) -> Candidate:
    """The candidate of this machine that the table of ``models bench`` calls ``key``. Raises: LocalError: none."""
    here = candidates_here(bundle, emulation=emulation, remote=remote, delegate=delegate).candidates
    for one in here:
        # A server's address is part of its key; there is one.
        if key == one.key or (key == one.engine == "kserve"):
            return one
    raise LocalError(f"there is no candidate {key!r} here; there are: {', '.join(one.key for one in here)}")


def describe(result: LoadGenResult) -> str:
    """The same for people."""
    verdict = "VALID" if result.valid else f"INVALID: not met: {', '.join(result.why_not) or 'see the summary'}"
    agrees = "nothing to compare with" if result.agreement is None else f"{result.agreement:.3f}"
    return "\n".join(
        (
            f"{result.model} on {result.candidate}, {result.scenario}: {result.figure:g} {result.unit}",
            f"LoadGen {result.version}  {verdict}",
            f"agreement  {agrees}",
            f"frames     {result.frames} in {result.seconds:g} s; load of the machine before: {result.load:g}",
            f"logs       {result.logs}",
        )
    )


def read_summary(text: str, scenario: Scenario) -> tuple[float, bool, tuple[str, ...]]:
    """Figure, validity and what is missing, of LoadGen's ``mlperf_log_summary.txt``.

    Raises: EngineError: it has no figure of this scenario.
    """
    pattern, _, factor = _FIGURES[scenario]
    found = re.search(pattern, text)
    verdict = re.search(r"Result is : (\w+)", text)
    if found is None or verdict is None:
        raise EngineError("LoadGen", f"its summary has no result of {scenario}")
    missing = tuple(
        line.strip().removesuffix(" satisfied : NO").removesuffix(" satisfied: NO").lower()
        for line in text.splitlines()
        if re.search(r"satisfied *: NO", line)
    )
    return float(found.group(1)) * factor, verdict.group(1) == "VALID", missing


class UnderTest:
    """What LoadGen asks: an engine, as many runs at a time as its candidate has. ``answered``: frames so far."""

    def __init__(
        self, loadgen: ModuleType, engine: Engine, tensors: Sequence[NDArray[np.uint8]], at_a_time: int
    ) -> None:
        self._loadgen, self._engine, self._tensors = loadgen, engine, tensors
        self.at_a_time = at_a_time
        self._failure: VigieError | None = None
        self.answered = 0

    def warm(self) -> float:
        """Seconds of a run, once warm."""
        times = []
        for turn in range(_WARM_RUNS):
            begun = time.perf_counter()
            self._engine.run(self._tensors[turn % len(self._tensors)])
            times.append(time.perf_counter() - begun)
        return min(times)

    def ask(self, settings: Any, samples: int, logs: Path) -> None:
        """Until LoadGen has what it wants. Raises: VigieError: the engine failed."""
        loadgen = self._loadgen
        outputs, log_settings = loadgen.LogOutputSettings(), loadgen.LogSettings()
        outputs.outdir, outputs.copy_summary_to_stdout = str(logs), False
        log_settings.log_output, log_settings.enable_trace = outputs, False
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731 - samples lie in memory all the time
        with ThreadPoolExecutor(self.at_a_time) as pool:
            under = loadgen.ConstructSUT(lambda asked: self._answer(asked, pool), nothing)
            library = loadgen.ConstructQSL(samples, samples, nothing, nothing)
            try:
                loadgen.StartTestWithLogSettings(under, library, settings, log_settings)
            finally:
                loadgen.DestroyQSL(library)
                loadgen.DestroySUT(under)
        if self._failure is not None:
            raise self._failure

    def _answer(self, asked: Sequence[Any], pool: ThreadPoolExecutor) -> None:
        """On LoadGen's own thread. An exception here would end the process: the rest is answered with nothing."""
        if len(asked) == 1:
            self._run(asked[0].index)
            self._complete(asked[0].id)
            return
        for one, done in [(one, pool.submit(self._run, one.index)) for one in asked]:
            done.result()
            self._complete(one.id)

    def _run(self, index: int) -> None:
        if self._failure is not None:
            return
        try:
            self._engine.run(self._tensors[index])
            self.answered += 1
        except VigieError as error:
            self._failure = error

    def _complete(self, number: int) -> None:
        # Outputs are compared before, so that none is handed over: LoadGen times and counts.
        self._loadgen.QuerySamplesComplete([self._loadgen.QuerySampleResponse(number, 0, 0)])


def _settings(loadgen: ModuleType, scenario: Scenario, seconds: float, run_s: float, at_a_time: int) -> Any:
    settings = loadgen.TestSettings()
    settings.mode = loadgen.TestMode.PerformanceOnly
    names = {"single-stream": "SingleStream", "multi-stream": "MultiStream", "offline": "Offline"}
    settings.scenario = getattr(loadgen.TestScenario, names[scenario])
    settings.min_duration_ms = round(seconds * 1e3)
    settings.min_query_count = 1 if scenario == "offline" else _QUERIES_MIN
    settings.single_stream_expected_latency_ns = max(1, round(run_s * 1e9))
    settings.multi_stream_expected_latency_ns = max(1, round(run_s * 1e9 * _SAMPLES_PER_QUERY))
    settings.multi_stream_samples_per_query = _SAMPLES_PER_QUERY
    # One query holds all samples of the test: too few of them would end it early, which is not valid.
    settings.offline_expected_qps = max(1.0, 1.2 * at_a_time / run_s)
    return settings


def _noise(bundle: Bundle) -> NDArray[np.uint8]:
    shape = (bundle.card.input.height, bundle.card.input.width, 3)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def _import_loadgen() -> ModuleType:
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise LoadGenMissingError from error
    return mlperf_loadgen  # type: ignore[no-any-return]  # it has no types
