"""A model is updated by twin alone, through the local hub, while frames flow: good, bad, killed afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support import models
from support.checkout import ROOT
from support.file_server import Behaviour, serve
from support.product import Home, Running
from support.releases import archive
from vigie_devkit.models.importer import import_model

SOURCE = "synthetic://conveyor?seed=2&fps=8&size=320x240"
PATIENCE_S = 120
SHIPPED = ROOT / "shared/models/conveyor-parts"
TRIAL = {"frames": 10, "objects": 5, "share": 0.5, "probation_s": 1, "cpu_max": 1.0, "slower_max": 20}


def wish(url: str, content: bytes, version: str) -> str:
    release = {
        "version": version,
        "source": f"{url}/parts.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "rollout": {**TRIAL, "id": f"ring-{version}"},
    }
    return json.dumps({"models": {"parts": release}, "runtime": {"measure": "off"}, "downloads": {"keep": 1}})


def state(run: Running) -> dict[str, Any]:
    return run.ask("inference", "get_models")


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
