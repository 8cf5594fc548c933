"""Before a release may serve, its engines are measured and judged by the objective in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.releases import HW, archive, release, until_phase
from vigie_devkit.models.importer import import_model

# Two candidates, so that there is something to measure.
FEW = {"require": {"engines": ["onnxruntime"], "variants": ["fp32"]}, "objective": "latency"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with inference(tmp_path / "module") as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)  # it waits for two whole measurements
async def test_what_is_committed_was_measured_and_a_slower_release_is_refused_by_the_objective(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    desired = {"model": {"path": str(first)}, "runtime": FEW}
    serving = (await bench.serve(first, runtime=FEW)).version
    await bench.settled()
    slow = import_model(
        models.save(models.burdened(models.yolox(HW)), tmp_path, "slow.onnx"),
        tmp_path / "slow",
        name="slow",
        labels=list(models.NAMES),
    )
    content = archive(slow, tmp_path, "9")
    with serve(Behaviour(content)) as url:
        await bench.desire(**desired, models={"first": release(url, content, "9", commit="immediate", slower_max=3)})
        await until_phase(bench, "selecting")
        told = await until_phase(bench, "rejected", "committed", "probation", timeout_s=250)
    assert told["phase"] == "rejected"
    assert "is slower by the objective latency" in told["reason"], told
    assert "at most 3 times as much is allowed" in told["reason"], told
    assert (await bench.answered(random_picture(1, HW), serving)).model == serving

    content = archive(first, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        # The same graph: only a moment in which this machine does something else makes it slower.
        await bench.desire(**desired, models={"first": release(url, content, "2", commit="immediate", slower_max=20)})
        told = await until_phase(bench, "committed", "rejected", timeout_s=250)
    assert told["phase"] == "committed", told
    runtime = await bench.until_runtime(lambda now: bool(now.get("cached")))
    assert runtime["serving"]["candidate"] in {one["candidate"] for one in runtime["measured"]}
