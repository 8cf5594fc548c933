"""The module with a model on another machine: it serves if it is preferred, and its end costs no frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import models
from support.inference import apart_from_tracks, inference, picture
from support.modules import until
from support.v2_server import v2_server
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE
from vigie.runtimes.measuring import measure
from vigie_devkit.models.importer import import_model
from vigie_inference import measuring

HW = (64, 96)
pytestmark = pytest.mark.timeout(500)


async def test_a_server_that_goes_away_under_way_costs_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = models.save(models.yolox(HW), tmp_path, "first.onnx")
    bundle = import_model(file, tmp_path / "first", name="first", labels=list(models.NAMES))
    plan = measure.MeasurePlan(processes=1, runs=8, seconds=0.2, limit_s=60.0, nice=0)
    monkeypatch.setattr(measuring.Measuring, "_plan", lambda _self: plan)
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    async with inference(tmp_path) as bench:
        with v2_server(bundle / "fp32.onnx") as server:
            remote = {"url": server.url, "model": "tiny"}
            wish = {"remote": remote, "prefer": {"engines": ["kserve"]}, "forbid": {"engines": ["openvino"]}}
            spec = await bench.serve(bundle, runtime=wish, threads=1)
            state = await bench.settled()
            assert state["serving"]["engine"] == "kserve", state
            good = await bench.answered(picture(1, HW), spec.version)
            asked = len(server.asked)
        # The server is gone: the same picture, from the engine that stands by.
        same = await bench.answered(picture(1, HW), spec.version)
        assert apart_from_tracks(same.detections) == apart_from_tracks(good.detections)
        await until(lambda: bench.runtime()["serving"]["engine"] == "onnxruntime", timeout_s=300)
        [broken] = bench.runtime()["breaker"]
        assert broken["candidate"].startswith("kserve:remote/fp32/1t+model=tiny+url=http://127.0.0.1:")
        assert bench.dropped("inference_failed") == 0
        assert asked >= 3


async def test_a_remote_that_is_not_a_url_is_refused_with_its_path(tmp_path: Path) -> None:
    async with inference(tmp_path) as bench:
        for bad in ("ftp://10.0.0.1", "http://user:pw@10.0.0.1", "http://10.0.0.1/?key=1"):
            found = await bench.desire(runtime={"remote": {"url": bad, "model": "m"}})
            assert found["runtime"]["ac"] == 400
            assert "$.runtime.remote.url" in found["runtime"]["ad"]
            assert "pw" not in str(bench.reported())
