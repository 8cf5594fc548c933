"""The module chooses its runtime: bad engines plugged into the real module, real child processes, a hub in memory."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from support import models
from support.bad_engines import MARKER, variable
from support.inference import apart_from_tracks, inference, picture
from support.modules import until as until_within
from vigie.runtimes import candidates
from vigie.runtimes.choosing import candidates_here
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring import measure
from vigie_devkit.models.importer import import_model
from vigie_inference import measuring, switching

HW = (64, 96)
# Every case starts a dozen processes of Python: seconds on an idle machine, minutes on a busy one.
pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


@pytest.fixture(autouse=True)
def few_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two processes a candidate, and of our own engines only the CPU's: what is tried here is what happens."""

    def only_safe(*args: Any, **settings: Any) -> Any:
        own, lacking = candidates(*args, **settings)
        return [one for one in own if is_safe(one)], lacking

    monkeypatch.setattr(candidates_here, "candidates", only_safe)
    plan = measure.MeasurePlan(processes=2, runs=8, seconds=0.2, limit_s=60.0, nice=0)
    monkeypatch.setattr(measuring.Measuring, "_plan", lambda _self: plan)
    monkeypatch.setattr(switching, "HUNG_FLOOR_S", 1.0)
    monkeypatch.setenv(MARKER, str(tmp_path / "now"))


async def until(condition: Callable[[], Any], *, what: str = "") -> Any:
    return await until_within(condition, timeout_s=300.0, what=what)


def candidates_of(state: dict[str, Any], part: str) -> list[str]:
    return [one["candidate"] for one in state[part]]


def why_not(state: dict[str, Any], name: str) -> str:
    return next(one["reason"] for one in state["rejected"] if one["candidate"].startswith(name))


async def test_the_first_frame_is_answered_while_the_candidates_are_still_measured(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("slow"))
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle)
        await bench.answered(picture(1, HW), spec.version)
        assert bench.runtime().get("phase", "starting") in {"starting", "measuring"}
        progress = await until(lambda: bench.runtime().get("progress"))
        assert 0 <= progress["done"] < progress["total"]
        state = await bench.settled()
        assert state["serving"]["candidate"].startswith("cpu/fp32")
        assert {"cpu/fp32/1t", "slow:other/fp32/1t"} <= set(candidates_of(state, "measured"))
        assert state["energy"] == "unavailable"
        assert all("joules" not in one for one in state["measured"])


async def test_a_measurement_that_the_end_gives_up_is_not_begun_again(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("slow"))
    with capture_logs() as entries:
        async with inference(tmp_path) as bench:
            await bench.serve(bundle)
            await until(lambda: bench.runtime().get("progress"))
    assert [one["event"] for one in entries].count("runtime_measuring") == 1


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("crashing", "SIGSEGV"),
        ("hanging", "answer within"),
        ("lying", "does not agree with the reference: F1"),
        ("nan", "NaN"),
        ("refusing", "libbad.so.3 is missing"),
    ],
)
async def test_a_bad_engine_is_rejected_with_its_reason_and_the_module_answers_all_the_time(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, engine: str, words: str
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable(engine))
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle)
        while bench.runtime().get("phase") not in {"settled", "degraded"}:
            await bench.answered(picture(1, HW), spec.version)
        state = bench.runtime()
        assert words in why_not(state, engine), state["rejected"]
        assert state["serving"]["candidate"].startswith("cpu/fp32")
        await bench.answered(picture(2, HW), spec.version)
        assert bench.dropped("inference_failed") == 0


@pytest.mark.parametrize(
    ("engine", "slug", "words"),
    [
        ("crashing_later", "engine-died", "SIGSEGV"),
        ("hanging_later", "engine-hung", "did not answer"),
        ("nan_later", "engine-output", "NaN"),
    ],
)
async def test_an_engine_that_fails_in_service_loses_no_frame_and_is_left_alone_for_a_while(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, engine: str, slug: str, words: str
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable(engine))
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, runtime={"prefer": {"engines": [engine]}})
        state = await bench.settled()
        assert state["serving"]["engine"] == engine, state
        good = await bench.answered(picture(1, HW), spec.version)
        (tmp_path / "now").touch()
        same = await bench.answered(picture(1, HW), spec.version)
        assert apart_from_tracks(same.detections) == good.detections, (
            "the frame on which the engine failed was answered by another"
        )
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime")
        state = await until(lambda: now if (now := bench.runtime())["breaker"] and now["phase"] == "degraded" else None)
        [broken] = state["breaker"]
        assert (broken["candidate"], broken["failures"]) == (f"{engine}:other/fp32/1t", 1)
        assert words in broken["reason"]
        assert bench.dropped("inference_failed") == 0
        metric = f'vigie_runtime_failures_total{{candidate="{engine}:other/fp32/1t",kind="{slug}"}}'
        assert bench.service.metrics.values()[metric] == 1


async def test_a_failed_engine_is_tried_again_after_its_pause_and_serves_again(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("crashing_later"))
    monkeypatch.setattr("vigie.runtimes.choosing.breaker.FIRST_PAUSE_S", 2.0)
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, runtime={"prefer": {"engines": ["crashing_later"]}})
        assert (await bench.settled())["serving"]["engine"] == "crashing_later"
        (tmp_path / "now").touch()
        await bench.answered(picture(1, HW), spec.version)
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime")
        (tmp_path / "now").unlink()
        await until(lambda: bench.runtime()["serving"]["engine"] == "crashing_later")
        await bench.answered(picture(2, HW), spec.version)
        assert bench.dropped("inference_failed") == 0


async def test_kill_9_of_the_engines_process_while_it_serves_loses_no_frame(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("crashing_later"))
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, runtime={"prefer": {"engines": ["crashing_later"]}})
        assert (await bench.settled())["serving"]["isolated"] is True
        [child] = engine_processes()
        os.kill(child, signal.SIGKILL)
        for seed in range(3):
            await bench.answered(picture(seed, HW), spec.version)
        assert bench.dropped("inference_failed") == 0
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime")
        assert "SIGKILL" in bench.runtime()["breaker"][0]["reason"]


async def test_a_restart_measures_nothing_and_a_changed_objective_ranks_anew(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("slow"))
    async with inference(tmp_path) as bench:
        await bench.serve(bundle)
        first = await bench.settled()
        assert first["cached"] is False
    begun: list[object] = []
    monkeypatch.setattr(measuring, "measure_all", lambda *args, **_: begun.append(args))
    async with inference(tmp_path) as bench:
        await bench.serve(bundle)
        again = await bench.settled()
        assert (again["cached"], again["chosen"], again["fingerprint"]) == (True, first["chosen"], first["fingerprint"])
        await bench.desire(model={"path": str(bundle)}, runtime={"objective": "energy"})
        energy = await until(lambda: now if (now := bench.runtime())["objective"] == "energy" else None)
        assert any("estimate" in reason for reason in energy["reasons"])
        assert "no energy meter" in why_not(energy, "slow")
        await bench.desire(
            model={"path": str(bundle)}, runtime={"objective": "latency", "prefer": {"engines": ["slow"]}}
        )
        await until(lambda: bench.runtime()["serving"]["engine"] == "slow")
    assert begun == [], "something was measured again"


async def test_a_requirement_that_is_not_met_makes_the_module_not_ready_and_says_what_is_missing(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("refusing"))
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, runtime={"require": {"engines": ["refusing"]}})
        state = await bench.settled()
        assert state["phase"] == "degraded"
        missing = bench.service.health.missing()["inference.runtime"]
        assert "required engine refusing" in missing
        assert "install bad-driver 3" in missing
        assert "install bad-driver 3" in state["unmet"]
        await bench.answered(picture(1, HW), spec.version)
        await bench.desire(model={"path": str(bundle)})
        await until(lambda: "inference.runtime" not in bench.service.health.missing())
        await bench.serve(bundle, runtime={"require": {"engines": ["refusing"]}})
        await until(lambda: "inference.runtime" in bench.service.health.missing())
        bench.hub.set_desired("inference", {})
        await until(lambda: bench.runtime() == {}, what="no model, no runtime")
        assert list(bench.service.health.missing()) == ["inference.model"]


async def test_an_engine_that_this_machine_does_not_have_is_refused_at_once_and_leaves_nothing_behind(
    tmp_path: Path, bundle: Path
) -> None:
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, runtime={"measure": "off"})
        refused = await bench.desire(model={"path": str(bundle)}, runtime={"engine": "tensorrt", "measure": "off"})
        assert refused["runtime"]["ac"] == 400
        assert "$.runtime.engine: 'tensorrt' cannot serve here: " in refused["runtime"]["ad"]
        assert "there are: onnxruntime" in refused["runtime"]["ad"]
        assert bench.service.health.missing() == {}
        await bench.answered(picture(1, HW), spec.version)
        removed = await bench.desire(model={"path": str(bundle)}, runtime={"measure": "off"})
        assert removed["runtime"]["ac"] == 200
        state = await bench.settled()
        assert (state["phase"], state["unmet"]) == ("settled", "")
        assert bench.service.health.missing() == {}


async def test_a_required_engine_that_can_serve_makes_the_module_ready(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("slow"))
    async with inference(tmp_path) as bench:
        await bench.serve(bundle, runtime={"engine": "slow"})
        await until(lambda: "inference.runtime" in bench.service.health.missing(), what="not ready while measured")
        state = await bench.settled()
        assert state["serving"]["engine"] == "slow"
        assert bench.service.health.missing() == {}
        assert bench.service.health.notes()["runtime"] == "slow:other/fp32/1t on Bad:slow: full"


@pytest.mark.parametrize(
    ("desired", "path"),
    [
        ({"runtime": {"objective": "speed"}}, "$.runtime.objective"),
        ({"runtime": {"requires": {}}}, "$.runtime.requires"),
        ({"runtime": {"accuracy_floor": 1.5}}, "$.runtime.accuracy_floor"),
        ({"runtime": {"engine": "a", "require": {"engines": ["b"]}}}, "$.runtime.engine"),
        ({"runtime": {"engine": "a", "forbid": {"engines": ["a"]}}}, "$.runtime.forbid.engines"),
        ({"runtime": {"forbid": {"engines": ["onnxruntime"]}}}, "$.runtime.forbid"),
    ],
)
async def test_a_wish_that_contradicts_itself_is_refused_with_its_path(
    tmp_path: Path, bundle: Path, desired: dict[str, Any], path: str
) -> None:
    async with inference(tmp_path) as bench:
        acknowledged = await bench.desire(model={"path": str(bundle)}, **desired)
        assert acknowledged["runtime"]["ac"] == 400
        assert path in acknowledged["runtime"]["ad"]


async def test_model_variant_and_threads_of_old_configurations_pin_what_they_always_did_and_are_told_as_deprecated(
    tmp_path: Path, bundle: Path
) -> None:
    async with inference(tmp_path) as bench:
        version = bench.hub.set_desired("inference", {"model": {"path": str(bundle), "variant": "fp32"}, "threads": 1})
        await until(lambda: bench.reported().get("model", {}).get("av") == version)
        told = bench.reported()["model"]
        assert (told["ac"], told["ad"]) == (
            200,
            "$.model.variant: deprecated: pin the variant by $.runtime.variant; the next version refuses this",
        )
        state = await bench.settled()
        assert (state["serving"]["candidate"], state["measured"]) == ("cpu/fp32/1t", [])
        assert state["reasons"] == ["one candidate may serve: there is nothing to choose"]
        assert bench.service.health.missing() == {}


async def test_methods_tell_the_runtime_and_measure_again(tmp_path: Path, bundle: Path) -> None:
    async with inference(tmp_path) as bench:
        await bench.serve(bundle)
        await bench.settled()
        status, reply = await asyncio.to_thread(bench.hub.invoke, "inference", "get_runtime")
        told = msgspec.to_builtins(reply)
        assert status == 200
        assert told["serving"]["engine"] == "onnxruntime"
        status, reply = await asyncio.to_thread(bench.hub.invoke, "inference", "run_benchmark", {"wait_s": 280}, 300)
        told = msgspec.to_builtins(reply)
        assert (status, told["finished"]) == (200, True)
        assert told["runtime"]["cached"] is False
        assert told["runtime"]["measured"][0]["processes"] == 2


def engine_processes() -> list[int]:
    """Processes of isolated engines that this one started."""
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [int(pid) for pid in children if b"isolated_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_an_engine_that_lies_after_a_while_is_found_by_the_canary_and_serves_again_only_when_it_agrees(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_ENGINES", variable("lying_later"))
    monkeypatch.setattr("vigie.runtimes.choosing.breaker.FIRST_PAUSE_S", 2.0)
    async with inference(tmp_path) as bench:
        spec = await bench.serve(
            bundle, runtime={"prefer": {"engines": ["lying_later"]}, "canary_minutes": 0.01, "measure": "auto"}
        )
        assert (await bench.settled())["serving"]["engine"] == "lying_later"
        good = await bench.answered(picture(1, HW), spec.version)

        def checks(result: str) -> float:
            return bench.service.metrics.values().get(f'vigie_canary_checks_total{{result="{result}"}}', 0.0)

        await until(lambda: checks("agrees") >= 1, what="a check that agrees")
        assert bench.service.metrics.values()["vigie_canary_seconds_total"] > 0
        (tmp_path / "now").touch()
        await until(lambda: checks("lie") >= 1, what="the lie is found")
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime")
        same = await bench.answered(picture(1, HW), spec.version)
        assert apart_from_tracks(same.detections) == apart_from_tracks(good.detections)
        state = await until(lambda: now if (now := bench.runtime())["breaker"] else None)
        assert "answers are wrong" in state["breaker"][0]["reason"]
        # It was measured before it lied; what it is asked before it serves again is the reference set.
        await until(lambda: bench.runtime()["breaker"] and bench.runtime()["breaker"][0]["failures"] >= 2)
        assert bench.runtime()["serving"]["engine"] == "onnxruntime"
        (tmp_path / "now").unlink()
        await until(lambda: bench.runtime()["serving"]["engine"] == "lying_later")
