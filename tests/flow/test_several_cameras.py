"""Four cameras at once: none starves, and what waits does not grow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from support import models
from support.product import Home

FPS, SECONDS = 8, 20
SOURCES = [f"synthetic://conveyor?seed={seed}&fps={FPS}&size=320x240" for seed in range(4)]


@pytest.mark.timeout(240)
def test_each_of_four_cameras_gets_its_share_and_delay_stays_flat(tmp_path: Path) -> None:
    model = models.save(models.yolox((64, 96)), tmp_path)
    home = Home(tmp_path / "home")

    done = home.up(*SOURCES, "--model", str(model), "--pace", "realtime", "--seconds", str(SECONDS))

    assert done.code == 0, done.stderr[-3000:]
    items = home.items()
    shares = Counter(item["camera"] for item in items)
    assert len(shares) == 4, shares
    fair = sum(shares.values()) / 4
    assert min(shares.values()) >= 0.8 * fair, shares
    assert sum(shares.values()) >= 0.5 * 4 * FPS * SECONDS, f"{shares} of {FPS * SECONDS} each"
    # A queue that grows shows as a last third slower than the first; what a busy machine adds is in both.
    delays = [item["timings"]["committed_ms"] for item in items]
    third = len(delays) // 3
    assert median(delays[-third:]) <= 3 * median(delays[:third]) + 100, (
        f"delay grows: {median(delays[:third]):.0f} -> {median(delays[-third:]):.0f} ms"
    )
