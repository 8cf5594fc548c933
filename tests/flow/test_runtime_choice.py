"""The whole product with engines that go wrong: real modules, the local hub, and what the twin says afterwards."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support import models
from support.bad_engines import variable
from support.product import Home, Running
from vigie_devkit.models.importer import import_model

SOURCE = "synthetic://conveyor?seed=2&fps=10&size=160x120"
SETTLED_WITHIN_S = 400


def bundle(folder: Path) -> Path:
    return import_model(models.save(models.yolox((64, 96)), folder, "tiny.onnx"), folder / "tiny", name="tiny")


def runtime_state(run: Running) -> dict[str, Any]:
    found: dict[str, Any] = run.reported("inference").get("runtime_state") or {}
    return found


def settled(run: Running) -> dict[str, Any]:
    run.wait_until(
        lambda: runtime_state(run).get("phase") in {"settled", "degraded"},
        timeout_s=SETTLED_WITHIN_S,
        what="a settled runtime",
    )
    return runtime_state(run)


def measure_few(home: Home) -> None:
    """Engines that come with the tests' environment are measured elsewhere: each takes a minute of both cores here."""
    done = home.run(
        "twin", "set", "inference", json.dumps({"runtime": {"forbid": {"engines": ["openvino", "webgpu"]}}})
    )
    assert done.code == 0, done.stderr


def inference_pid(run: Running) -> int:
    """0 while it is not up."""
    try:
        return run.module_pid("inference")
    except (OSError, ValueError):
        return 0


def children(pid: int, part: bytes) -> list[int]:
    found = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(one) for one in listing.read_text().split()]
        except OSError:
            continue
    return [one for one in found if part in command_of(one)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.timeout(900)
def test_a_crashing_and_a_lying_engine_are_told_in_the_twin_and_no_frame_is_lost(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    engines = variable("crashing", "lying")
    # As fast as it can, the flow would take both cores from what is measured: minutes for a test of seconds.
    with home.running(SOURCE, "--model", str(bundle(tmp_path)), VIGIE_ENGINES=engines) as run:
        run.wait_until(
            lambda: run.upstream_count() >= 1, timeout_s=120, what="detections while nothing is measured yet"
        )
        measure_few(home)
        state = settled(run)
        rejected = {one["candidate"]: one["reason"] for one in state["rejected"]}
        assert "SIGSEGV" in rejected["crashing:other/fp32/1t"]
        assert "does not agree with the reference" in rejected["lying:other/fp32/1t"]
        assert state["serving"]["engine"] not in {"crashing", "lying"}
        # A machine that is busy drops frames before inference; what came there was answered.
        figures = run.metrics("inference")
        lost = [name for name, count in figures.items() if "_dropped_total" in name and count]
        assert not any(reason in name for name in lost for reason in ("no_model", "inference_failed")), lost
    seqs = [item["seq"] for item in home.items()]
    assert len(seqs) == len(set(seqs)) > 0, "a frame was answered twice"


@pytest.mark.timeout(900)
def test_kill_9_of_the_serving_engine_and_of_the_module_while_it_measures_leaves_the_flow_running(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    with home.running(SOURCE, "--model", str(bundle(tmp_path)), VIGIE_ENGINES=variable("slow")) as run:
        run.wait_until(lambda: children(inference_pid(run), b"measure_child"), timeout_s=90, what="a measuring process")
        measure_few(home)
        run.wait_until(lambda: children(inference_pid(run), b"measure_child"), timeout_s=90, what="a measuring process")
        before = inference_pid(run)
        measuring = [child for child in children(before, b"measure_child") if alive(child)]
        os.kill(before, signal.SIGKILL)
        run.wait_until(lambda: inference_pid(run) not in {0, before}, timeout_s=60, what="the module is back")
        run.wait_until(lambda: not any(map(alive, measuring)), timeout_s=20, what="the orphaned process is gone")
        done = home.run("twin", "set", "inference", json.dumps({"runtime": {"prefer": {"engines": ["slow"]}}}))
        assert done.code == 0, done.stderr
        run.wait_until(
            lambda: (runtime_state(run).get("serving") or {}).get("engine") == "slow",
            timeout_s=SETTLED_WITHIN_S,
            what="the preferred engine serves",
        )
        [engine] = children(inference_pid(run), b"isolated_child")
        os.kill(engine, signal.SIGKILL)
        count = run.upstream_count()
        run.wait_until(lambda: run.upstream_count() > count + 1, timeout_s=60, what="the flow goes on")
        run.wait_until(
            lambda: any("SIGKILL" in one["reason"] for one in runtime_state(run).get("breaker", [])),
            timeout_s=60,
            what="the twin says what happened",
        )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
