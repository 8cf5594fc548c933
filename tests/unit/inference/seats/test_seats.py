"""Two models are served at once by camera: the second is tried, committed, taken back and kept by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from support import models
from support.file_server import Behaviour, serve
from support.inference import Bench, inference
from support.inference import picture as random_picture
from support.modules import until
from support.releases import HW, UNMEASURED, archive, release
from vigie.contracts.inputspec import InputSpec
from vigie_devkit.models.importer import import_model

GATE = {"cameras": ["gate"]}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


def _update(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = ((bench.reported().get("models_state") or {}).get("gate") or {}).get("update") or {}
    return found


async def _until_phase(bench: Bench, *phases: str) -> dict[str, Any]:
    return await until(
        lambda: found if (found := _update(bench)).get("phase") in phases else None,
        timeout_s=90,
        what=f"{phases}, is {_update(bench)}",
    )


async def _until_spec(bench: Bench, *, seated: bool) -> InputSpec:
    return await until(
        lambda: newest if (specs := bench.specs()) and bool((newest := specs[-1]).others) == seated else None,
        timeout_s=60,
    )


async def _on_trial_at_the_gate(bench: Bench, serving: str, count: int = 8) -> None:
    """Frames of the gate, each for the main model, which serves it still, and for the one on trial."""
    spec = await until(lambda: next((one for one in reversed(bench.specs()) if one.also), None), timeout_s=60)
    assert (spec.also[0].cameras, spec.also[0].named) == (("gate",), "gate")
    for number in range(count):
        tensor = random_picture(number, HW)
        seq = bench.send(tensor, serving, camera="gate")
        bench.send(tensor, spec.also[0].version, trial=True, camera="gate", named="gate")
        await until(lambda seq=seq: any(item.seq == seq for item in bench.results()), timeout_s=60)


async def test_a_second_model_is_tried_serves_its_camera_is_kept_and_given_back(first: Path, tmp_path: Path) -> None:
    content = archive(first, tmp_path, "2")
    settings: dict[str, Any] = {"score": 0.3, "runtime": UNMEASURED}
    async with inference(tmp_path / "module") as bench:
        main = (await bench.serve(first, **settings)).version
        with serve(Behaviour(content)) as url:
            wanted = {**release(url, content, "2", id="ring-1", agreement_min=0.0, objects=0), **GATE}
            await bench.desire(model={"path": str(first)}, models={"gate": wanted}, **settings)
            await _until_phase(bench, "shadowing")
            await _on_trial_at_the_gate(bench, main)
            told = await _until_phase(bench, "committed", "rejected")
        assert told["phase"] == "committed", told
        assert told["trial"]["frames"] >= 6
        assert "update_state" not in bench.reported(), "the main model is not being updated"

        spec = await _until_spec(bench, seated=True)
        assert spec.version == main
        assert [(one.named, one.cameras) for one in spec.others] == [("gate", ("gate",))]
        theirs = spec.others[0].version
        tensor = random_picture(3, HW)
        assert (await bench.answered(tensor, theirs, camera="gate", named="gate")).model == theirs
        assert (await bench.answered(tensor, main)).model == main
        # One that was on its way when the second model was committed.
        assert (await bench.answered(tensor, main, camera="gate")).model == main
        values = bench.service.metrics.values()
        assert values[f'vigie_frames_inferred_total{{camera="gate",model="{theirs}"}}'] >= 1
        info = [name for name in values if name.startswith("vigie_runtime_info{")]
        assert {'seat="gate"' in name for name in info} == {True, False}, info
        shown = bench.reported()["models_state"]["gate"]
        assert shown["model"]["input_spec"] == theirs
        assert shown["runtime"]["serving"]["engine"]
        assert bench.reported()["model_state"]["input_spec"] == main

    async with inference(tmp_path / "module") as bench:
        # The server is gone: what is on the disk serves at once.
        await bench.desire(model={"path": str(first)}, models={"gate": wanted}, **settings)
        spec = await _until_spec(bench, seated=True)
        assert (await bench.answered(tensor, theirs, camera="gate", named="gate")).model == theirs
        status, told = await asyncio.to_thread(bench.hub.invoke, "inference", "rollback_model", {"name": "gate"})
        assert status == 200, told
        await _until_phase(bench, "rolled_back")
        await _until_spec(bench, seated=False)
        assert (await bench.answered(tensor, main, camera="gate")).model == main
        status, told = await asyncio.to_thread(bench.hub.invoke, "inference", "rollback_model", {"name": "yard"})
        assert status == 404
        assert "gate" in str(told)

        await bench.desire(model={"path": str(first)}, **settings)
        await until(lambda: not bench.reported().get("models_state"), timeout_s=60)
        store = tmp_path / "module"
        await until(lambda: not list(store.rglob("seats/gate")), timeout_s=60, what="its files are removed")
        assert not [name for name in bench.service.metrics.values() if 'seat="' in name]


async def test_a_release_that_cannot_serve_its_camera_leaves_it_to_the_main_model(first: Path, tmp_path: Path) -> None:
    content = archive(first, tmp_path, "2")
    async with inference(tmp_path / "module") as bench:
        main = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
        with serve(Behaviour(b"<html>503</html>")) as url:
            wanted = {**release(url, content, "2"), **GATE}
            await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, models={"gate": wanted})
            told = await _until_phase(bench, "rejected", "committed")
        assert told["phase"] == "rejected"
        assert not bench.specs()[-1].others
        assert (await bench.answered(random_picture(1, HW), main, camera="gate")).model == main


async def test_the_operator_may_rename_and_move_a_model_while_it_is_on_trial(first: Path, tmp_path: Path) -> None:
    content = archive(first, tmp_path, "2")
    async with inference(tmp_path / "module") as bench:
        main = (await bench.serve(first, score=0.3, runtime=UNMEASURED)).version
        with serve(Behaviour(content)) as url:
            one = release(url, content, "2", commit="immediate")
            tried = {**release(url, content, "2", frames=1000), **GATE}
            await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, models={"gate": tried})
            await _until_phase(bench, "shadowing")
            moved = {"yard": {**one, "cameras": ["gate", "yard"]}}
            await bench.desire(model={"path": str(first)}, runtime=UNMEASURED, models=moved)
            spec = await _until_spec(bench, seated=True)
        assert [(other.named, other.cameras) for other in spec.others] == [("yard", ("gate", "yard"))]
        await until(lambda: list(bench.reported().get("models_state") or {}) == ["yard"], timeout_s=60)
        results = await asyncio.gather(
            bench.answered(random_picture(1, HW), spec.others[0].version, camera="yard", named="yard"),
            bench.answered(random_picture(2, HW), main, camera="dock"),
        )
        assert [item.model for item in results] == [spec.others[0].version, main]
