"""Two cameras, three models by twin alone: one takes a camera over, one sees the same frames; through a kill too."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT
from support.file_server import Behaviour, serve
from support.product import Home, Running
from support.releases import archive
from vigie.models import load_bundle

pytestmark = pytest.mark.slow

SHIPPED = ROOT / "shared/models/conveyor-parts"
SOURCES = ("synthetic://conveyor?seed=2&fps=4&size=320x240", "synthetic://conveyor?seed=3&fps=4&size=320x240")
# A busy machine runs what takes 5 ms in a second; how a trial judges has tests of its own.
TRIAL = {"frames": 5, "objects": 1, "share": 1.0, "probation_s": 1, "cpu_max": 1.0, "slower_max": 1000}
PATIENCE_S = 300


def _release(url: str, content: bytes, version: str, **place: Any) -> dict[str, Any]:
    return {
        "version": version,
        "source": f"{url}/parts.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "rollout": TRIAL,
        **place,
    }


def _phases(run: Running) -> dict[str, str]:
    others = run.ask("inference", "get_models").get("others", {})
    return {name: one.get("phase", "") for name, one in others.items()}


def _ways(items: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(one["camera"], one["model"].partition("/")[0], one.get("beside", "")) for one in items}


@pytest.mark.timeout(1500)
def test_each_camera_has_its_model_and_one_frame_has_two_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    second, third = (archive(SHIPPED, tmp_path / one, one) for one in ("2", "3"))
    shipped = f"conveyor-parts-{load_bundle(SHIPPED).card.version}"
    home = Home(tmp_path / "home")
    wanted = {
        ("conveyor", shipped, ""), ("conveyor", "conveyor-parts-3", "again"),
        ("conveyor-2", "conveyor-parts-2", ""), ("conveyor-2", "conveyor-parts-3", "again"),
    }  # fmt: skip
    with (
        serve(Behaviour(second)) as one_url,
        serve(Behaviour(third)) as other_url,
        home.running(*SOURCES, "--model", str(SHIPPED), "--pace", "realtime") as run,
    ):
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=PATIENCE_S, what="detections of the main model")
        releases = {
            "gate": _release(one_url, second, "2", cameras=["conveyor-2"]),
            "again": _release(other_url, third, "3", beside=True),
        }
        patch = json.dumps({"models": releases, "runtime": {"measure": "off"}})
        done = home.run("twin", "set", "inference", patch, "--wait", "60")
        assert done.code == 0, done.stderr
        run.wait_until(
            lambda: _phases(run) == {"gate": "committed", "again": "committed"},
            timeout_s=PATIENCE_S,
            what=f"both committed: {_phases(run)}",
        )
        run.wait_until(
            lambda: wanted <= _ways(home.items()[-40:]), timeout_s=PATIENCE_S, what="every camera by its models"
        )
        # Of the start that is killed below; what comes before the next one has opened its models is left out there.
        left_out = run.metrics("inference")
        pid = run.module_pid("inference")
        os.kill(pid, signal.SIGKILL)
        run.wait_until(lambda: run.module_pid("inference") != pid, timeout_s=PATIENCE_S, what="a new start")
        killed_at = len(home.items())
        run.wait_until(
            lambda: wanted <= _ways(home.items()[killed_at:][-40:]), timeout_s=PATIENCE_S, what="all three after a kill"
        )
    items = home.items()
    traces = [one["trace"] for one in items]
    assert len(traces) == len(set(traces)), "a frame was answered twice by one model"
    for reason in ("no_model", "spec_mismatch", "inference_failed"):
        assert not any(f'reason="{reason}"' in name and value for name, value in left_out.items()), left_out
    for camera in ("conveyor", "conveyor-2"):
        seqs = sorted({one["seq"] for one in items if one["camera"] == camera and not one.get("beside")})
        gap = max(two - one for one, two in pairwise(seqs))
        print(f"{camera}: {len(seqs)} frames answered, largest gap {gap} frames (4 per second), with a kill in it")
