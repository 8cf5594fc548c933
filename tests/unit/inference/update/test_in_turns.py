"""Where two models do not fit, the serving one makes room: what fails comes back, and the twin says what was judged."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release, until_phase, with_nan
from vigie.models import load_bundle
from vigie_devkit.models.importer import import_model
from vigie_inference.update.in_turns import why_in_turns
from vigie_inference.update.release import Rollout

IN_TURNS = {"trial": "in_turns", "probation_s": 3600}


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


def test_two_models_take_turns_only_where_the_memory_says_so(first: Path) -> None:
    bundle = load_bundle(first)
    assert why_in_turns(Rollout(), bundle, None) == "", "no limit"
    assert why_in_turns(Rollout(), bundle, 500.0) == ""
    assert why_in_turns(Rollout(), bundle, 20.0).startswith(
        "the container may take 20 MB more, the release needs some "
    )
    assert why_in_turns(Rollout(trial="beside"), bundle, 20.0) == ""
    assert why_in_turns(Rollout(trial="in_turns"), bundle, None) == "$.rollout.trial asks for it"


async def test_a_release_in_turns_serves_and_says_that_no_live_frame_was_compared(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    await bench.serve(first, score=0.3, runtime=UNMEASURED)
    content = archive(first, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        await bench.desire(
            model={"path": str(first)},
            score=0.3,
            runtime=UNMEASURED,
            models={"first": release(url, content, "2", **IN_TURNS)},
        )
        told = await until_phase(bench, "probation", "rejected")
    assert told["phase"] == "probation", told
    assert "agrees with its own 2 reference frames to 1.000" in told["reason"], told
    assert "with the former model to 1.000" in told["reason"], told
    assert "in turns, because $.rollout.trial asks for it: nothing answered for " in told["reason"], told
    spec = await until(lambda: next((one for one in bench.specs() if one.version.startswith("first-2/")), None))
    assert (await bench.answered(random_picture(3, HW), spec.version)).model == spec.version
    watch = await until(lambda: bench.reported()["update_state"].get("watch"), timeout_s=60)
    assert watch == "is not compared with the model before: two do not fit: $.rollout.trial asks for it"
    assert not any(one.also for one in bench.specs())


async def test_a_release_that_fails_in_turns_gives_the_place_back_and_frames_in_between_are_answered(
    bench: Bench, first: Path, tmp_path: Path
) -> None:
    serving = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
    other = tmp_path / "other"
    shutil.copytree(first, other)
    with_nan(other)
    content = archive(other, tmp_path, "2")
    with serve(Behaviour(content)) as url:
        await bench.desire(
            model={"path": str(first)},
            score=0.3,
            runtime=UNMEASURED,
            models={"first": release(url, content, "2", **IN_TURNS)},
        )
        seqs = []
        while bench.reported().get("update_state", {}).get("phase") not in {"rejected", "probation", "committed"}:
            seqs.append((await bench.answered(random_picture(len(seqs), HW), serving)).seq)
        told = await until_phase(bench, "rejected", "probation")
    assert told["phase"] == "rejected", told
    assert "holds NaN or infinity" in told["reason"]
    assert (await bench.answered(random_picture(99, HW), serving)).model == serving
    assert len(seqs) == len(set(seqs)) == bench.seq - 1, "a frame went unanswered"
