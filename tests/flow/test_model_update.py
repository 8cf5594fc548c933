"""A model is updated by twin alone, through the local hub, while frames flow: good, bad, killed midway."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import models
from support.file_server import Behaviour, serve
from support.product import Home, Running
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.shelf import export_bundle

SOURCE = "synthetic://conveyor?seed=2&fps=8&size=320x240"
# Twenty take eight minutes: VIGIE_UPDATE_KILLS=20 ./vigie test tests/flow/test_model_update.py
ROUNDS = int(os.environ.get("VIGIE_UPDATE_KILLS", "3"))
# Measuring a release takes a minute each; with many rounds it is one more state to be killed in.
MEASURE = "auto" if ROUNDS > 3 else "off"
# Nothing else should run then; a machine that is busy takes many minutes for what takes one.
PATIENCE_S = 120 if MEASURE == "off" else 600
SHIPPED = Path(__file__).parents[2] / "shared/models/conveyor-parts"
TRIAL = {"frames": 10, "objects": 5, "share": 0.5, "probation_s": 1, "cpu_max": 1.0, "slower_max": 20}


def archive(bundle: Path, folder: Path, version: str) -> bytes:
    """``bundle`` as another version of it, as ``models export`` packs it."""
    copy = folder / f"v{version}"
    copy.mkdir(parents=True)
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    facts = yaml.safe_load((copy / "card.yaml").read_text(encoding="utf-8"))
    facts["version"] = version
    (copy / "card.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    return export_bundle(copy, folder / f"{version}.zip").read_bytes()


def wish(url: str, content: bytes, version: str) -> str:
    release = {
        "version": version,
        "source": f"{url}/parts.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "rollout": {**TRIAL, "id": f"ring-{version}"},
    }
    return json.dumps({"models": {"parts": release}, "runtime": {"measure": MEASURE}, "downloads": {"keep": 1}})


def state(run: Running) -> dict[str, Any]:
    done = run.home.run("method", "inference", "get_models")
    return dict(json.loads(done.stdout)) if done.code == 0 else {}


def ends_in(run: Running, *phases: str) -> dict[str, Any]:
    run.wait_until(
        lambda: state(run).get("phase") in phases, timeout_s=PATIENCE_S, what=f"update in {phases}: {state(run)}"
    )
    return state(run)


@pytest.mark.timeout(400 + 4 * PATIENCE_S)
def test_a_model_is_updated_by_twin_while_every_frame_is_answered(tmp_path: Path) -> None:
    good = archive(SHIPPED, tmp_path / "good", "2")
    stranger = import_model(
        models.save(models.yolox((96, 128)), tmp_path, "stranger.onnx"), tmp_path / "stranger", name="stranger"
    )
    worse = archive(stranger, tmp_path / "worse", "3")
    home = Home(tmp_path / "home")
    with (
        serve(Behaviour(good, cuts=[len(good) // 2])) as good_url,
        serve(Behaviour(worse)) as worse_url,
        home.running(SOURCE, "--model", str(SHIPPED), "--pace", "realtime") as run,
    ):
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=60, what="detections of the first model")
        pid = run.module_pid("inference")

        done = home.run("twin", "set", "inference", wish(good_url, good, "2"), "--wait", "30")
        assert done.code == 0, done.stderr
        told = ends_in(run, "committed", "rejected", "rolled_back")
        assert told["phase"] == "committed", told
        assert told["trial"]["agreement"] > 0.95, told
        assert told["rollout"] == "ring-2"
        run.wait_until(
            lambda: str((run.last_item() or {}).get("model", "")).startswith("conveyor-parts-2/"),
            timeout_s=30,
            what="detections of version 2",
        )

        done = home.run("twin", "set", "inference", wish(worse_url, worse, "3"), "--wait", "30")
        assert done.code == 0, done.stderr
        told = ends_in(run, "committed", "rejected", "rolled_back")
        assert told["phase"] == "rejected", told
        assert "agrees with the serving model to" in told["reason"]
        assert told["serving"]["version"] == "2"
        assert run.module_pid("inference") == pid, "the module was restarted"

        # A machine that is busy drops frames before inference; what came there was answered.
        dropped = run.metrics("inference")
        for reason in ("no_model", "spec_mismatch", "inference_failed"):
            assert not any(f'reason="{reason}"' in name and value for name, value in dropped.items()), dropped

        newest = (run.last_item() or {})["seq"]
        run.wait_until(lambda: (run.last_item() or {})["seq"] > newest + 15, timeout_s=30, what="version 2 answers on")
        os.kill(pid, signal.SIGKILL)
        run.wait_until(
            lambda: (run.last_item() or {})["seq"] > newest + 60 and run.module_pid("inference") != pid,
            timeout_s=60,
            what="detections after a kill",
        )
        assert str((run.last_item() or {})["model"]).startswith("conveyor-parts-2/"), "not the committed model"
        assert state(run)["phase"] == "rejected", "the refused release is tried again after a restart"
    seqs = [item["seq"] for item in home.items()]
    assert len(seqs) == len(set(seqs)), "a frame was answered twice"


@pytest.mark.timeout(120 + PATIENCE_S * ROUNDS)
def test_inference_killed_at_any_moment_of_an_update_ends_with_the_new_model_in_service(tmp_path: Path) -> None:
    chance = random.Random(11)
    # Three in turn: neither what serves nor the former is wanted next, so that each goes the whole way.
    versions = ("2", "3", "4")
    archives = [archive(SHIPPED, tmp_path / version, version) for version in versions]
    home = Home(tmp_path / "home")
    killed_in: Counter[str] = Counter()
    with (
        serve(Behaviour(archives[0])) as first,
        serve(Behaviour(archives[1])) as second,
        serve(Behaviour(archives[2])) as third,
        home.running(SOURCE, "--model", str(SHIPPED), "--pace", "realtime") as run,
    ):
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=60, what="detections of the first model")
        for number in range(ROUNDS):
            turn = number % 3
            version, url, content = versions[turn], (first, second, third)[turn], archives[turn]
            wanted = json.loads(wish(url, content, version))
            wanted["models"]["parts"]["rollout"]["id"] = f"round-{number}"
            done = home.run("twin", "set", "inference", json.dumps(wanted))
            assert done.code == 0, done.stderr
            pid = run.module_pid("inference")
            time.sleep(chance.uniform(0.0, 8.0))
            killed_in[str(state(run).get("phase"))] += 1
            os.kill(pid, signal.SIGKILL)
            run.wait_until(lambda pid=pid: run.module_pid("inference") != pid, timeout_s=60, what="a new start")
            run.wait_until(
                lambda version=version: (state(run).get("serving") or {}).get("version") == version,
                timeout_s=PATIENCE_S,
                what=f"version {version} serves in round {number}: {state(run)}",
            )
            told = ends_in(run, "committed", "rejected", "rolled_back")
            assert told["phase"] == "committed", told
            newest = (run.last_item() or {"seq": 0})["seq"]
            run.wait_until(
                lambda newest=newest, version=version: (
                    (item := run.last_item() or {"seq": 0})["seq"] > newest
                    and str(item["model"]).startswith(f"conveyor-parts-{version}/")
                ),
                timeout_s=60,
                what=f"detections of version {version}",
            )
        left = {path.name for path in (run.folder / "modules/inference/models").iterdir()}
    assert not [name for name in left if name.startswith(".")], f"half-written bundles stayed: {left}"
    assert len(left) <= 4, f"more than two releases, downloads and the record: {left}"
    seqs = [item["seq"] for item in home.items()]
    assert len(seqs) == len(set(seqs)), "a frame was answered twice"
    print(f"killed in {dict(killed_in)}")
