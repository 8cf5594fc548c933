"""`up --record` and `snapshot --boxes`: what a running system sees, as files."""

from __future__ import annotations

import re
from pathlib import Path

import av
import cv2
import pytest

from support.product import Home

WITHIN_S = 240.0


@pytest.mark.timeout(600)
def test_a_run_is_recorded_with_boxes_and_gives_snapshots(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    video, picture = tmp_path / "seen.mp4", tmp_path / "now.png"
    with home.running("synthetic://conveyor?seed=1&fps=10", "--viewer", "--record", str(video)) as up:
        up.wait_until(lambda: re.search(r"\| upstream [1-9]", up.tail()), timeout_s=WITHIN_S, what="frames upstream")
        done = home.run("snapshot", "--boxes", "-o", str(picture), timeout_s=120)
        assert done.code == 0, done.stderr
        said = re.fullmatch(rf"{picture}: conveyor frame \d+, 640x480, (\d+) objects\n", done.stdout)
        assert said, done.stdout
        wrong = home.run("snapshot", "hall", "-o", str(tmp_path / "x.jpg"), timeout_s=120)
        assert wrong.code == 1
        assert "no picture of 'hall' came within 15 s" in wrong.stderr
    assert cv2.imread(str(picture)).shape == (480, 640, 3)
    told = re.search(r"recorded (\d+) pictures of conveyor into", up.log.read_text(encoding="utf-8"))
    assert told, up.tail()
    with av.open(str(video)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == int(told[1]) > 3
    assert times == sorted(times)
