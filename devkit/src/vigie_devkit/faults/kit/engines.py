"""An engine that crashes, hangs or lies in service, and a model that hangs in the CPU engine itself."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from vigie.models.bundle import load_bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.decision_cache import CachedDecision, DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.hardware.probe import probe
from vigie.runtimes.measuring.measurement import Measured, ProcessTrial
from vigie.runtimes.parity import ParityResult
from vigie.runtimes.proof import Proof
from vigie_devkit.faults import bad_engine
from vigie_devkit.faults.fault import Fault, makes_put
from vigie_devkit.faults.hanging_model import hanging_bundle
from vigie_devkit.faults.signs import LogLine, TwinSays, rises
from vigie_devkit.faults.system import FaultError, Setup, System

ENGINE = Setup(
    name="bad-engine",
    environment=(
        ("VIGIE_ENGINES", f"bad={Path(bad_engine.__file__).resolve()}:BadEngine"),
        (bad_engine.COMMAND, "{home}/engine"),
    ),
)
_CHANGES_WITHIN_S = 240.0
_BAD = Candidate("bad", "bad", "other", "fp32", 1)
# A run may take 30 times this long before it counts as hung.
_RUN_MS = 1000.0
# A lie shows at the next canary; by default ten minutes go by between two.
_CANARY_MINUTES = 0.1
_PEERS = "Frigate: its watchdog restarts a detector that gives nothing for 10 s; others: the process ends"


@makes_put
def serving(system: System, /, command: str, **runtime: float) -> Iterator[None]:
    """The bad engine serves, then does ``command`` until the end. ``runtime``: more of the twin's part of that name."""
    engine = system.run.home.parent / "engine"
    _let_it_be_known(system)
    wanted = {"prefer": {"engines": [_BAD.engine]}, "variant": _BAD.variant, "measure": "off", **runtime}
    system.patch("inference", {"threads": _BAD.threads, "runtime": wanted})
    _wait_for_engine(system, _BAD.engine)
    engine.write_text(command, encoding="ascii")
    try:
        yield
    finally:
        engine.unlink(missing_ok=True)


def _let_it_be_known(system: System) -> None:
    """Measurements of the bad engine, as an earlier start would have left them.

    To measure it takes minutes on a busy machine, where a process that answers late is ended before it ever serves.
    """
    model = system.product.hub().twin("inference")["properties"]["desired"]["model"]
    bundle = load_bundle(Path(str(model["path"])))
    trial = ProcessTrial(
        load_s=1.0, first_ms=_RUN_MS, runs=60, p50_ms=_RUN_MS, p95_ms=_RUN_MS, p99_ms=_RUN_MS, per_s=1e3 / _RUN_MS,
        cpu_ms=_RUN_MS, pss_mb=100.0,
    )  # fmt: skip
    measured = Measured(
        _BAD,
        (trial,),
        ParityResult(passed=True, metric="f1", agreement=1.0, minimum=0.0, frames=1, finite=True),
        Proof("full", _BAD.key, {"Bad": 1}, 0.0, None, "it says so", ""),
    )
    mark = fingerprint(bundle, probe().fingerprint_facts(), dict(ENGINE.environment))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    DecisionCache(system.run.home / "runtimes").save(CachedDecision(mark, bundle.card.name, now, (measured,)))


def _wait_for_engine(system: System, name: str) -> None:
    """Raises: FaultError: it does not serve, and nothing about the runtime has changed for minutes."""
    begun = changed = time.monotonic()
    last = ""
    while _engine_of(system) != name:
        state = json.dumps(system.reported("inference").get("runtime_state"), sort_keys=True)
        now = time.monotonic()
        if state != last:
            last, changed = state, now
        if now - changed > _CHANGES_WITHIN_S:
            raise FaultError(f"the engine {name!r} does not serve after {now - begun:.0f} s; reported: {last[:600]}")
        time.sleep(0.5)


def _engine_of(system: System) -> str:
    serving_now = (system.reported("inference").get("runtime_state") or {}).get("serving") or {}
    return str(serving_now.get("engine", ""))


@contextmanager
def _model_hangs(system: System) -> Iterator[None]:
    """A bundle whose every run loops for ever is put into service by twin, then taken back."""
    folder = system.run.home.parent / "hangs"
    shutil.rmtree(folder, ignore_errors=True)
    hanging_bundle(folder, above=-1.0)
    before = system.product.hub().twin("inference")["properties"]["desired"].get("model")
    system.patch("inference", {"model": {"path": str(folder), "name": None}})
    try:
        system.wait_until(lambda: LogLine("inference", "model_hung").seen(system, 0), "the hang is found", 120.0)
        system.wait_until(lambda: '"isolated": true' in system.reported_text("inference"), "it is isolated", 60.0)
        yield
    finally:
        system.patch("inference", {"model": None})
        system.patch("inference", {"model": before})


@contextmanager
def _model_file_cut(system: System) -> Iterator[None]:
    """The file of a model that the twin names is cut in half at the next start, and whole again later."""
    source = Path(str(system.product.hub().twin("inference")["properties"]["desired"]["model"]["path"]))
    folder = system.run.home.parent / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    system.patch("inference", {"model": {"path": str(folder)}})
    system.wait_until(lambda: str(folder) in system.reported_text("inference"), "the copy serves", 60.0)
    victim = next(iter(sorted(folder.glob("*.onnx"))))
    whole = victim.read_bytes()
    import signal

    with system.nobody_restarts():
        system.signal("inference", signal.SIGKILL)
        victim.write_bytes(whole[: len(whole) // 2])
    try:
        system.wait_until(lambda: '"ac": 400' in system.reported_text("inference"), "the model is refused", 60.0)
        yield
    finally:
        victim.write_bytes(whole)


def engine_faults() -> list[Fault]:
    failed = LogLine("inference", "runtime_failed")
    died, hung, lied = (
        rises("inference", "vigie_runtime_failures_total", kind=f"engine-{how}") for how in ("died", "hung", "lies")
    )
    return [
        Fault(name="engine-crash", what="the serving engine's process crashes", put=serving("crash"), hold_s=3.0,
              back_within_s=10.0, signs=(failed, died),
              setup=ENGINE, peers=_PEERS),
        Fault(name="engine-hang", what="the serving engine hangs", put=serving("hang"), hold_s=40.0, back_within_s=10.0,
              signs=(failed, hung), setup=ENGINE,
              peers=_PEERS),
        Fault(name="engine-lies", what="the serving engine answers another picture, with numbers that look right",
              put=serving("lie", canary_minutes=_CANARY_MINUTES), hold_s=40.0, back_within_s=10.0,
              signs=(LogLine("inference", "canary_failed"), lied), setup=ENGINE, peers="none"),
        Fault(name="model-hangs", what="a model loops for ever inside ONNX Runtime's CPU engine", put=_model_hangs,
              hold_s=5.0, back_within_s=60.0,
              signs=(LogLine("inference", "model_hung"), LogLine("inference", "runtime_failed")), peers=_PEERS),
        Fault(name="model-file-cut", what="inference starts while its model's file is cut in half", put=_model_file_cut,
              hold_s=5.0, back_within_s=40.0, signs=(TwinSays("inference", "sha256"),), peers="none"),
    ]  # fmt: skip
