"""An engine that crashes, hangs or lies in service, and a model that hangs in the CPU engine itself."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vigie_devkit.faults import bad_engine
from vigie_devkit.faults.fault import Fault, Put
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
# Measuring the bad engine takes seconds on an idle machine, and many minutes on a busy one: it is waited for as long as
# something about it changes.
_CHANGES_WITHIN_S = 240.0
_MEASURED_WITHIN_S = 1500.0
# A lie shows at the next canary; by default ten minutes go by between two.
_CANARY_MINUTES = 0.1
_PEERS = "Frigate: its watchdog restarts a detector that gives nothing for 10 s; others: the process ends"


def serving(command: str, **runtime: float) -> Put:
    """The bad engine serves, then does ``command`` until the end. ``runtime``: more of the twin's part of that name."""

    @contextmanager
    def put(system: System) -> Iterator[None]:
        engine = system.run.home.parent / "engine"
        bad = {"engines": ["bad"]}
        wanted = {"require": bad, "prefer": None, "variant": "fp32", "measure": "auto", **runtime}
        system.patch("inference", {"threads": 1, "runtime": wanted})
        _wait_for_engine(system, "bad")
        # Required, it would leave the module unready until its breaker closes: right, and not what is tried here.
        system.patch("inference", {"runtime": {"require": None, "prefer": bad, "measure": "off"}})
        engine.write_text(command, encoding="ascii")
        try:
            yield
        finally:
            engine.unlink(missing_ok=True)

    return put


def _wait_for_engine(system: System, name: str) -> None:
    """Raises: FaultError: it does not serve, and nothing about the runtime has changed for minutes."""
    begun = changed = time.monotonic()
    last = ""
    while _engine_of(system) != name:
        state = json.dumps(system.reported("inference").get("runtime_state"), sort_keys=True)
        now = time.monotonic()
        if state != last:
            last, changed = state, now
        if now - changed > _CHANGES_WITHIN_S or now - begun > _MEASURED_WITHIN_S:
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
