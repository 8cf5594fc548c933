"""The module while a real inference server serves, and when that server ends under way."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.inference import apart_from_tracks, inference, picture
from support.modules import until
from vigie.errors import ProviderError
from vigie.models import Bundle
from vigie.runtimes import Candidate, Engine, EngineSettings, open_engine
from vigie.runtimes.measuring import measure
from vigie_inference import measuring

START_LIMIT_S = 300


def opened_when_it_serves(bundle: Bundle, url: str, process: subprocess.Popen[bytes]) -> Engine:
    """The bundle's model ``tiny`` on that server: starting takes seconds, on a busy machine a minute."""
    candidate = Candidate("kserve", "kserve", "remote", "fp32", 1, {"url": url, "model": "tiny"})
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(ProviderError):
            return open_engine(bundle, candidate, settings=EngineSettings())
        time.sleep(0.2)
    pytest.fail(f"it does not serve (its process: {process.poll()})")


async def server_ends_under_way(
    bundle: Path, hw: tuple[int, int], url: str, end: Callable[[], None], tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    """The server is preferred and serves; after ``end`` the same picture has the same detections, and none is lost."""
    plan = measure.MeasurePlan(processes=1, runs=8, seconds=0.2, limit_s=120.0, nice=0)
    patch.setattr(measuring.Measuring, "_plan", lambda _self: plan)
    async with inference(tmp_path) as bench:
        remote = {"url": url, "model": "tiny"}
        wish = {"remote": remote, "prefer": {"engines": ["kserve"]}, "forbid": {"engines": ["openvino"]}}
        spec = await bench.serve(bundle, runtime=wish, threads=1)
        state = await bench.settled()
        assert state["serving"]["engine"] == "kserve", state
        good = await bench.answered(picture(1, hw), spec.version)
        end()
        same = await bench.answered(picture(1, hw), spec.version)
        assert apart_from_tracks(same.detections) == apart_from_tracks(good.detections)
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime", timeout_s=300)
        [broken] = bench.runtime()["breaker"]
        assert broken["candidate"].startswith("kserve:remote/fp32/1t+model=tiny+url=")
        assert bench.dropped("inference_failed") == 0
