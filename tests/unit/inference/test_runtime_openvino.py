"""A real second engine in the real module: OpenVINO in a process of its own, proven, and named where operators look."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import models
from support.engines import needs
from support.inference import inference, picture
from vigie.runtimes.measuring import measure
from vigie_devkit.models.importer import import_model
from vigie_inference import measuring

pytestmark = [pytest.mark.timeout(500), needs("openvino")]
HW = (64, 96)


async def test_openvino_is_measured_judged_proven_and_serves_the_same_detections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = measure.MeasurePlan(processes=2, runs=8, seconds=0.2, limit_s=120.0, nice=0)
    monkeypatch.setattr(measuring.Measuring, "_plan", lambda _self: plan)
    bundle = import_model(
        models.save(models.yolox(HW), tmp_path), tmp_path / "first", name="first", labels=list(models.NAMES)
    )
    async with inference(tmp_path) as bench:
        spec = await bench.serve(bundle, score=0.3, runtime={"measure": "off"})
        assert (await bench.settled())["serving"]["verdict"] == "", "measuring is off: nothing is proven"
        by_cpu = await bench.answered(picture(1, HW), spec.version)
        await bench.desire(model={"path": str(bundle)}, score=0.3, runtime={"measure": "auto", "engine": "openvino"})
        state = await bench.until_runtime(lambda now: (now.get("serving") or {}).get("engine") == "openvino")
        assert (state["serving"]["verdict"], state["serving"]["isolated"]) == ("full", True)
        assert {one["agreement"] for one in state["measured"]} == {1.0}
        by_openvino = await bench.answered(picture(1, HW), spec.version)
        assert [one.label for one in by_openvino.detections] == [one.label for one in by_cpu.detections]
        assert bench.service.health.missing() == {}
        assert "OpenVINO" in bench.service.health.notes()["runtime"]
