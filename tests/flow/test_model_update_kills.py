"""Inference killed with -9 in each state of an update by twin: it goes on, and no frame is answered twice."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT
from support.file_server import Behaviour, serve
from support.product import Home, Running
from support.releases import archive

FPS = 8
SOURCE = f"synthetic://conveyor?seed=2&fps={FPS}&size=320x240"
SHIPPED = ROOT / "shared/models/conveyor-parts"
# Each state twice and more: VIGIE_UPDATE_KILLS=20 ./vigie test tests/flow/test_model_update_kills.py
ROUNDS = int(os.environ.get("VIGIE_UPDATE_KILLS", "3"))
# In turn, the one with the fewest kills first. The first three are what the default suite has time for.
STATES = ("downloading", "shadowing", "probation", "verifying", "selecting", "warming", "waiting", "committed")
# These pass in some ten milliseconds: the kill follows at once. In the others it may come a moment later.
SHORT = {"verifying", "warming", "committed"}
# A round with measuring takes minutes where a machine does much else.
PATIENCE_S = 300 if ROUNDS <= 3 else 900
TRIAL = {"frames": 10, "objects": 5, "share": 0.5, "probation_s": 2, "cpu_max": 1.0, "slower_max": 1000}
# Two candidates, the fewest that need measuring.
FEW = {"engines": ["onnxruntime"], "variants": ["fp32"]}


class Phases:
    """What inference's log tells of the update, from now on; also of a process that lives no more."""

    def __init__(self, run: Running) -> None:
        self._folder = run.folder / "logs"
        self._known = {path: path.stat().st_size for path in self._files()}

    def told(self) -> list[tuple[str, str]]:
        """(phase, version), oldest first."""
        found = []
        for path in self._files():
            with path.open("rb") as log:
                log.seek(self._known.get(path, 0))
                lines = log.read().decode(errors="replace").splitlines()
            for line in lines:
                if '"event": "model_update"' in line and line.endswith("}"):
                    fields = json.loads(line)
                    found.append((str(fields["phase"]), str(fields["version"])))
        return found

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("inference*"), key=lambda path: path.stat().st_mtime)


def wish(url: str, content: bytes, version: str, number: int, state: str) -> dict[str, Any]:
    """The twin that makes ``state`` last long enough to be met."""
    rollout = {**TRIAL, "id": f"round-{number}", "commit": "manual" if state == "waiting" else "after"}
    release = {
        "version": version,
        "source": f"{url}/parts.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "rollout": rollout,
    }
    return {
        "models": {"parts": release},
        "runtime": {"measure": "auto" if state == "selecting" else "off", "require": FEW},
        "downloads": {"keep": 1, "bytes_per_second": len(content) // 3 if state == "downloading" else None},
    }


def reported(run: Running) -> dict[str, Any]:
    return run.ask("inference", "get_models")


def seen_through(run: Running, version: str, what: str) -> dict[str, Any]:
    """The state in which the update has ended; promoted on the way where it waits for that."""
    told: dict[str, Any] = {}

    def ended() -> bool:
        told.clear()
        told.update(reported(run))
        if told.get("phase") == "waiting":
            run.home.run("method", "inference", "promote_model")
        return told.get("version") == version and told.get("phase") in {"committed", "rejected", "rolled_back"}

    run.wait_until(ended, timeout_s=PATIENCE_S, what=f"{what}: {told}")
    return told


@pytest.mark.timeout(180 + PATIENCE_S * ROUNDS)
def test_inference_killed_in_each_state_of_an_update_ends_with_the_new_model_in_service(tmp_path: Path) -> None:
    chance = random.Random(11)
    # Three in turn: neither what serves nor the former is wanted next, so that each goes the whole way.
    versions = ("2", "3", "4")
    archives = [archive(SHIPPED, tmp_path, version) for version in versions]
    home = Home(tmp_path / "home")
    killed_in: Counter[str] = Counter()
    with (
        serve(Behaviour(archives[0])) as first,
        serve(Behaviour(archives[1])) as second,
        serve(Behaviour(archives[2])) as third,
        home.running(SOURCE, "--model", str(SHIPPED), "--pace", "realtime") as run,
    ):
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=120, what="detections of the first model")
        for number in range(ROUNDS):
            turn = number % 3
            version, url, content = versions[turn], (first, second, third)[turn], archives[turn]
            wanted = min(STATES, key=lambda state: killed_in[state])
            phases, pid = Phases(run), run.module_pid("inference")
            done = home.run("twin", "set", "inference", json.dumps(wish(url, content, version, number, wanted)))
            assert done.code == 0, done.stderr
            begun = time.monotonic()
            while (wanted, version) not in phases.told():
                assert time.monotonic() < begun + PATIENCE_S, f"never {wanted} in round {number}: {phases.told()}"
                time.sleep(0.002)
            if wanted not in SHORT:
                time.sleep(chance.uniform(0.0, 1.0))
            os.kill(pid, signal.SIGKILL)
            hit = phases.told()[-1][0]
            killed_in[hit] += 1
            print(f"round {number}: aimed at {wanted}, killed in {hit}", flush=True)
            run.wait_until(lambda pid=pid: run.module_pid("inference") != pid, timeout_s=PATIENCE_S, what="a new start")
            told = seen_through(run, version, f"version {version} in round {number}, killed in {hit}")
            assert told["phase"] == "committed", told
            assert told["serving"]["version"] == version, told
            newest = (run.last_item() or {"seq": 0})["seq"]
            run.wait_until(
                lambda newest=newest, version=version: (
                    (item := run.last_item() or {"seq": 0})["seq"] > newest
                    and str(item["model"]).startswith(f"conveyor-parts-{version}/")
                ),
                timeout_s=PATIENCE_S,
                what=f"detections of version {version}",
            )
        left = {path.name for path in (run.folder / "modules/inference/models").iterdir()}
    assert not [name for name in left if name.startswith(".")], f"half-written bundles stayed: {left}"
    assert len(left) <= 4, f"more than two releases, downloads and the record: {left}"
    seqs = [item["seq"] for item in home.items()]
    assert len(seqs) == len(set(seqs)), "a frame was answered twice"
    gap = max(after - before for before, after in pairwise(sorted(seqs)))
    if len(STATES) * 2 <= ROUNDS:
        assert not [state for state in STATES if killed_in[state] < 2], killed_in
    print("state -> kills:", ", ".join(f"{state} {count}" for state, count in killed_in.items()))
    print(f"{len(seqs)} frames answered, none twice; {ROUNDS} kills, largest gap {gap} frames ({gap / FPS:.1f} s)")
