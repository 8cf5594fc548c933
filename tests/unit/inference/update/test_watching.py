"""On probation a release is compared with the model before it, which comes back by itself where they differ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, frames_for_both, release, state, until_phase
from vigie_devkit.models.importer import import_model

PROBATION = {"commit": "immediate", "probation_s": 3600, "watch_share": 1.0}


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


async def test_a_release_that_differs_from_the_model_before_is_taken_back(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    other = import_model(
        models.save(models.yolov8(HW), tmp_path, "other.onnx"), tmp_path / "other", labels=list(models.NAMES)
    )
    content = archive(other, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        await bench.desire(
            model={"path": str(first)},
            score=0.3,
            runtime=UNMEASURED,
            models={"first": release(url, content, "2", **PROBATION)},
        )
        await until_phase(bench, "probation")
    await until(lambda: any(one.also and not one.version.startswith("first") for one in bench.specs()), timeout_s=60)
    await frames_for_both(bench, bench.specs()[-1].version)
    told = await until_phase(bench, "rolled_back", "committed")
    assert told["phase"] == "rolled_back"
    assert "during the probation it agrees with the model before to" in told["reason"]
    assert told["watched"]["frames"] >= 6
    assert (await bench.answered(random_picture(1, HW), serving)).model == serving
    await until(lambda: not bench.specs()[-1].also, timeout_s=60)


async def test_a_release_that_sees_the_same_passes_and_the_model_before_is_closed(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    content = archive(first, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        wanted = release(url, content, "2", **{**PROBATION, "probation_s": 15})
        await bench.desire(model={"path": str(first)}, score=0.3, runtime=UNMEASURED, models={"first": wanted})
        await until_phase(bench, "probation")
    spec = await until(
        lambda: next((one for one in bench.specs() if one.version.startswith("first-2/") and one.also), None),
        timeout_s=60,
    )
    assert spec.also[0].version.endswith(" before")
    await frames_for_both(bench, spec.version)
    told = await until(lambda: one if (one := state(bench)).get("watched", {}).get("frames", 0) >= 6 else None)
    assert told["watched"]["agreement"] == 1.0
    assert told["watched"]["score_drift"] == 0.0
    assert told["watch"].startswith("agreement 1.000 over")
    await until_phase(bench, "committed")
    await until(lambda: not bench.specs()[-1].also, timeout_s=60)
