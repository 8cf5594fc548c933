"""The inference module counts what its cameras show, and tells by twin, metric and event when it has moved away."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support import models
from support.checkout import ROOT
from support.modules import environment, task, until
from support.releases import HW
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.envelope import Envelope
from vigie.contracts.events import ModelDrift
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.models.trust import TrustPolicy
from vigie.runtimes import open_engine
from vigie.service import Service, open_service
from vigie_devkit.models.importer import import_model
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.drift.drift import Drift, evidence_of
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.telling import Telling

BOX = (10.0, 10.0, 50.0, 50.0)
AT = datetime(2026, 11, 1, tzinfo=UTC).isoformat()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


def result(number: int, model: str, label: str, score: float) -> DetectionsItem:
    """A frame with one object that is seen for the first time under this track."""
    seen = [Detection(label, 0, score, BOX, track=f"t{number}")]
    timings = StageTimings(1.0, 2.0, 1.0)
    return DetectionsItem("dock", number, f"dock-{number}", AT, number * 10**9, (96, 64), model, seen, timings)


@dataclass
class Counting:
    """The part of the module that counts, with a model that serves and a twin that is in force."""

    hub: MemoryHub
    service: Service[InferenceConfig]
    drift: Drift
    spec: str

    def cameras(self) -> dict[str, Any]:
        return dict((self.hub.reported("inference").get("drift_state") or {}).get("cameras", {}))

    def events(self) -> list[ModelDrift]:
        bodies = (message.body for message in self.hub.upstream if message.output == "events")
        return [one for body in bodies for one in msgspec.json.decode(body, type=Envelope[ModelDrift]).items]


@asynccontextmanager
async def counting(folder: Path, bundle: Path) -> AsyncIterator[Counting]:
    hub = MemoryHub({("inference", "events"): UPSTREAM})
    hub.set_desired("inference", {"drift": {"base_hours": 1, "window_hours": 1, "psi_max": 0.25}})
    env = environment("inference", folder)
    with closing(ModelsInService()) as serving:
        async with open_service(env, InferenceConfig, make_link=hub.link("inference")) as service:
            drift = Drift(service, serving, Telling(service))
            await service.start()

            async def accept(_new: InferenceConfig, _former: InferenceConfig | None) -> None:
                pass

            loaded = LoadedBundle.load(ModelConfig(path=str(bundle)), TrustPolicy(Path("/nowhere/trust.json")))
            model = ServingModel(loaded, open_engine(loaded.bundle))
            serving.replace(model, InferenceConfig())
            async with task(service.twin.run(accept)):
                await until(lambda: service.twin.current is not None, timeout_s=60)
                yield Counting(hub, service, drift, model.spec.version)


async def test_drift_is_told_by_twin_metric_and_event_and_a_restart_goes_on_with_it(
    tmp_path: Path, bundle: Path
) -> None:
    stop = threading.Event()
    stop.set()
    async with counting(tmp_path, bundle) as now:
        numbers = iter(range(1, 1_000_000))

        def live(label: str, score: float, looks: int) -> None:
            for _ in range(looks):
                for _ in range(20):
                    now.drift.saw(result(next(numbers), now.spec, label, score))
                now.drift.look(200.0)

        now.drift.look(0.0)  # takes over what serves
        live("bolt", 0.9, 60)
        await until(lambda: now.cameras().get("dock", {}).get("phase") == "watching", timeout_s=60)
        live("nut", 0.4, 30)
        told = await until(lambda: one if (one := now.cameras()["dock"])["drifted"] else None, timeout_s=60)
        assert (told["phase"], set(told["drifted"].split(", "))) == ("drifted", {"scores", "classes"})
        values = now.service.metrics.values()
        assert values[f'vigie_model_drifted{{camera="dock",model="{now.spec}",what="scores"}}'] == 1.0
        name = f'vigie_model_drift_index{{base="first_days",camera="dock",model="{now.spec}",what="classes"}}'
        assert values[name] > 0.25
        events = await until(lambda: found if len(found := now.events()) >= 2 else None, timeout_s=60)
        assert {one.what for one in events} == {"scores", "classes"}
        assert all(one.phase == "new" and one.camera == "dock" and one.psi > one.limit for one in events)
        now.drift.run(stop)  # what the thread does at its end: the counts go to the disk
    async with counting(tmp_path, bundle) as now:
        now.drift.look(0.0)
        await until(lambda: now.cameras().get("dock", {}).get("phase") == "drifted", timeout_s=60)


async def test_an_object_that_stays_counts_once_and_another_model_begins_anew(tmp_path: Path, bundle: Path) -> None:
    async with counting(tmp_path, bundle) as now:
        now.drift.look(0.0)
        for _ in range(50):
            now.drift.saw(result(1, now.spec, "bolt", 0.9))
        now.drift.saw(result(2, "another-1/0123", "bolt", 0.9))
        now.drift.look(10.0)
        told = await until(lambda: now.cameras().get("dock"), timeout_s=60)
        assert (told["phase"], told["objects"]) == ("learning", 1)


def test_the_evidence_of_the_shipped_bundle_is_what_its_reference_frames_hold() -> None:
    loaded = LoadedBundle.load(
        ModelConfig(path=str(ROOT / "shared/models/conveyor-parts")), TrustPolicy(Path("/nowhere/trust.json"))
    )
    counts = evidence_of(loaded)
    assert counts is not None
    assert counts.objects > 10
    assert set(counts.classes) <= set(loaded.labels)
