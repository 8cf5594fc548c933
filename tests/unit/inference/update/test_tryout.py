"""A bundle beside the serving one because somebody wants to see it: what serves is never touched, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support import models
from support.checkout import ROOT
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import Sender, until
from vigie.contracts.demand import Demand
from vigie_devkit.models.importer import import_model

HW = (64, 96)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with inference(tmp_path / "module") as running:
        yield running


async def call(bench: Bench, method: str, payload: Any = None) -> tuple[int, Any]:
    return await asyncio.to_thread(bench.hub.invoke, "inference", method, payload, 60.0)


def state(bench: Bench) -> dict[str, Any]:
    return bench.reported().get("tryout_state") or {}


async def test_both_models_answer_the_same_frames_and_the_serving_one_answers_all(bench: Bench, bundle: Path) -> None:
    serving = (await bench.serve(bundle, score=0.3)).version
    Sender(bench.hub, "viewer", "demand", "vigie.demand/1").send(Demand({"dock": 1}, 10.0))
    status, told = await call(bench, "try_model", {"path": str(bundle), "cpu_max": 1})
    assert (status, told["phase"], told["model"]) == (200, "running", f"{serving} on trial")
    spec = await until(lambda: next((one for one in reversed(bench.specs()) if one.also), None), timeout_s=60)
    assert spec.version == serving
    for number in range(6):
        tensor = random_picture(number, HW)
        seq = bench.send(tensor, serving)
        bench.send(tensor, spec.also[0].version, trial=True)
        await until(lambda seq=seq: any(item.seq == seq for item in bench.results()), timeout_s=60)
    told = await until(
        lambda: one if (one := state(bench)).get("trial", {}).get("frames", 0) >= 4 else None, timeout_s=60
    )
    assert told["trial"]["agreement"] == 1.0
    assert {item.model for item in bench.results()} == {serving}
    status, told = await call(bench, "end_try")
    assert (status, told["phase"]) == (200, "ended")
    assert (await bench.answered(random_picture(9, HW), serving)).model == serving
    await until(lambda: not bench.specs()[-1].also, timeout_s=60)
    assert (await call(bench, "end_try"))[0] == 409


@pytest.mark.parametrize("variant", ["fp32", "int8-s8s8"])
async def test_the_variant_that_was_asked_for_runs_or_is_refused_and_never_another_one(
    bench: Bench, bundle: Path, variant: str
) -> None:
    shipped = ROOT / "shared/models/conveyor-parts"
    await bench.serve(bundle, score=0.3)
    status, told = await call(bench, "try_model", {"path": str(shipped), "variant": variant})
    if variant == "fp32" or status == 200:
        assert (status, told["engine"].split("/")[1]) == (200, variant)
    else:
        # Which quantized variants have an engine is this CPU's to say.
        assert (status, repr(variant) in str(told)) == (400, True)


async def test_it_ends_by_itself_and_says_why(bench: Bench, bundle: Path) -> None:
    await bench.serve(bundle, score=0.3)
    assert (await call(bench, "try_model", {"path": str(bundle), "seconds": 0.1}))[0] == 200
    told = await until(lambda: one if (one := state(bench)).get("phase") == "ended" else None, timeout_s=60)
    assert told["reason"] == "its time was over"


@pytest.mark.parametrize(
    ("payload", "status", "says"),
    [
        ({"name": "nobody"}, 400, "there is no bundle 'nobody'"),
        ({"name": "a", "path": "/b"}, 400, "got both"),
        ({"path": "/nowhere"}, 400, "/nowhere"),
        ({"path": "/nowhere", "share": 0}, 400, "share"),
    ],
)
async def test_what_cannot_be_tried_is_refused_with_its_reason(
    bench: Bench, bundle: Path, payload: dict[str, Any], status: int, says: str
) -> None:
    await bench.serve(bundle, score=0.3)
    code, told = await call(bench, "try_model", payload)
    assert code == status
    assert says in str(told)
    assert state(bench) == {}


async def test_without_a_serving_model_there_is_nothing_to_try_beside(bench: Bench, bundle: Path) -> None:
    await until(lambda: bench.service.hub.connected)
    assert (await call(bench, "try_model", {"path": str(bundle)}))[0] == 409
