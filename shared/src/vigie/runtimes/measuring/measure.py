"""Measures candidates: each in fresh child processes, in rounds, so that a busy moment hits all of them alike.

A candidate that refuses, crashes, hangs, outgrows its memory or answers wrongly is out after its first process, with
the reason. One that is hopeless for every objective is not measured again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vigie.errors import ProviderError
from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.isolated_engine import end_in_words, python_module
from vigie.runtimes.measuring.footprint import resident_mb, starved_seconds
from vigie.runtimes.measuring.measure_child import MeasureAnswer, MeasureRequest
from vigie.runtimes.measuring.measurement import Failure, Measured, ProcessTrial

# A candidate this many times slower, and dearer, than the best of its first round is not measured again.
HOPELESS = 2.0
# Of the time of a process at most this share is put down to others that had the CPUs.
STARVED_SHARE_MAX = 0.8
_POLL_S = 0.1
_SAID_BYTES = 4000


@dataclass(frozen=True)
class MeasurePlan:
    """How to measure. ``processes``: per candidate. ``limit_s``: one process, loading included.

    ``memory_mb_max``: a process that grows beyond is ended, because it would take the container with it.
    """

    processes: int = 5
    runs: int = 60
    runs_min: int = 8
    seconds: float = 1.0
    limit_s: float = 120.0
    memory_mb_max: float | None = None
    nice: int = 19
    cache: Path | None = None


class MeasureProgress(msgspec.Struct, frozen=True):
    """``done`` of ``total`` processes; ``candidate`` is measured now."""

    done: int
    total: int
    candidate: str


def measure_all(
    bundle: Bundle,
    candidates: Sequence[Candidate],
    plan: MeasurePlan,
    *,
    before: Callable[[MeasureProgress], bool],
    after: Callable[[Measured], None] = lambda _measured: None,
    stop: Callable[[], bool] = lambda: False,
    known: Sequence[Measured] = (),
) -> list[Measured] | None:
    """Every candidate's measurements, in the order given; None if ``before`` or ``stop`` ended it.

    Args: before: called before each process; may wait for a quiet moment; False ends. after: called with a candidate
        after each of its processes. stop: asked while a process runs, which is then ended. known: what an earlier
        start measured before it ended; it counts as the first processes of those candidates.
    """
    before_this = {one.candidate.key: one for one in known}
    held = {one.key: before_this.get(one.key, Measured(one)) for one in candidates}
    done, total = 0, len(candidates) * plan.processes
    for turn in range(plan.processes):
        if turn == 1:
            held = {key: without_hope(one, list(held.values())) for key, one in held.items()}
        for key, one in list(held.items()):
            sound = one.failure is None and not one.note and (one.parity is None or one.parity.passed)
            if sound and len(one.trials) <= turn:
                if not before(MeasureProgress(done, total, key)):
                    return None
                found = measure_once(bundle, one, plan, stop=stop)
                after(found)
                if stop():
                    return None
                held[key] = found
            done += 1
    return list(held.values())


def without_hope(one: Measured, others: Sequence[Measured]) -> Measured:
    """Marks a candidate that its first process showed to be far from the best in every figure an objective reads."""
    rivals = [other.trials[0] for other in others if other.trials]
    if not one.trials or one.note:
        return one
    mine = one.trials[0]
    ratios = [
        mine.p50_ms / max(1e-9, min(trial.p50_ms for trial in rivals)),
        mine.cpu_ms / max(1e-9, min(trial.cpu_ms for trial in rivals)),
    ]
    if mine.joules is not None:
        ratios.append(mine.joules / max(1e-9, min(trial.joules for trial in rivals if trial.joules is not None)))
    if min(ratios) <= HOPELESS:
        return one
    return msgspec.structs.replace(one, note=f"measured once: {min(ratios):.1f} times the best in every figure")


def measure_once(bundle: Bundle, one: Measured, plan: MeasurePlan, *, stop: Callable[[], bool]) -> Measured:
    """One more process for a candidate; parity and proof come from its first."""
    candidate, first = one.candidate, one.parity is None
    facts = bundle.card.variants.get(candidate.variant)
    answer = run_child(
        MeasureRequest(
            lifeline=-1,
            answer=-1,
            folder=str(bundle.folder),
            digest=bundle.digest,
            candidate=candidate,
            judge=first,
            parity_min=getattr(getattr(facts, "parity", None), "minimum", None),
            runs=plan.runs,
            runs_min=plan.runs_min,
            seconds=plan.seconds,
            load_limit_s=plan.limit_s,
            nice=plan.nice,
            cache=None if plan.cache is None else str(plan.cache),
        ),
        plan,
        stop,
    )
    if isinstance(answer, Failure):
        return msgspec.structs.replace(one, failure=answer)
    trials: tuple[ProcessTrial, ...] = one.trials if answer.trial is None else (*one.trials, answer.trial)
    if not first:
        return msgspec.structs.replace(one, trials=trials)
    return msgspec.structs.replace(one, trials=trials, parity=answer.parity, proof=answer.proof)


def run_child(request: MeasureRequest, plan: MeasurePlan, stop: Callable[[], bool]) -> MeasureAnswer | Failure:
    """Start the process, wait for its answer within the limits; however it ends, it is gone afterwards."""
    with contextlib.ExitStack() as held:
        lifeline, ours = os.pipe()
        answer, theirs = os.pipe()
        held.callback(os.close, ours)
        held.callback(os.close, answer)
        said = os.memfd_create("vigie-said", os.MFD_CLOEXEC)
        held.callback(os.close, said)
        try:
            process = subprocess.Popen(
                [
                    *python_module("vigie.runtimes.measuring.measure_child"),
                    msgspec.json.encode(msgspec.structs.replace(request, lifeline=lifeline, answer=theirs)).decode(),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(lifeline, theirs),
                process_group=0,
                env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
            )
        finally:
            os.close(lifeline)
            os.close(theirs)
        held.callback(_end, process)
        return _await(process, answer, said, plan, stop)


def _await(
    process: subprocess.Popen[bytes], answer: int, said: int, plan: MeasurePlan, stop: Callable[[], bool]
) -> MeasureAnswer | Failure:
    begun = time.monotonic()
    came = b""
    while True:
        readable, _, _ = select.select([answer], [], [], _POLL_S)
        if readable:
            part = os.read(answer, 65536)
            if not part:
                break
            came += part
        took_s = time.monotonic() - begun
        # At the lowest priority a sound candidate may have to wait for a CPU for minutes: that is not hanging.
        if (
            took_s > plan.limit_s
            and took_s - min(starved_seconds(process.pid), took_s * STARVED_SHARE_MAX) > plan.limit_s
        ):
            return Failure(
                "hung",
                f"no answer within {plan.limit_s:g} s; its process was ended",
                "update the driver, or forbid the engine to save the time",
            )
        if stop():
            return Failure("refused", "measuring was stopped")
        if plan.memory_mb_max is not None and (used_mb := resident_mb(process.pid)) > plan.memory_mb_max:
            return Failure(
                "memory",
                f"it grew to {used_mb:.0f} MB, {plan.memory_mb_max:.0f} MB are allowed; its process was ended",
                "allow more ($.runtime.memory_mb_max, or the container's limit) or use a smaller model",
            )
    return _understood(process, came, said)


def _understood(process: subprocess.Popen[bytes], came: bytes, said: int) -> MeasureAnswer | Failure:
    try:
        answer = msgspec.json.decode(came, type=MeasureAnswer)
    except msgspec.MsgspecError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        return Failure("crashed", f"its process {end_in_words(process.returncode)}{_last_line(said)}")
    if answer.refusal:
        trouble = {"engine-died": "crashed", "engine-hung": "hung"}.get(answer.slug, "refused")
        remedy = "install or allow what the reason names" if answer.slug == ProviderError.slug else ""
        return msgspec.convert({"trouble": trouble, "reason": answer.refusal, "remedy": remedy}, Failure)
    return answer


def _last_line(said: int) -> str:
    size = os.fstat(said).st_size
    text = os.pread(said, _SAID_BYTES, max(0, size - _SAID_BYTES)).decode(errors="replace").strip()
    return f": {text.splitlines()[-1][:300]}" if text else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started: those end with it by their own lifelines."""
    if process.poll() is None:  # once it is reaped its number may be another's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
