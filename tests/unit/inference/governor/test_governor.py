"""The governor in the real module: files of a machine in, frames left out, twin, metrics and event out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support import models
from support.hardware_trees import lay_out
from support.inference import Bench, inference, picture
from support.modules import environment, task, until
from vigie.contracts.envelope import Envelope
from vigie.contracts.events import ModelThrottled
from vigie.frames import CursorWriter
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.models.trust import TrustPolicy
from vigie.runtimes import open_engine
from vigie.service import Service, open_service
from vigie_devkit.models.importer import import_model
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.governor.frame_share import FrameShare
from vigie_inference.governor.governor import Governor
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.seats.seat import MAIN, Seat, Seats
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.telling import Telling

HW = (64, 96)
ZONE = "sys/class/thermal/thermal_zone0"
RAPL = "sys/class/powercap/intel-rapl:0"
MACHINE = {
    f"{ZONE}/type": "cpu-thermal\n",
    f"{ZONE}/temp": "50000\n",
    f"{RAPL}/name": "package-0\n",
    f"{RAPL}/energy_uj": "1000000\n",
    f"{RAPL}/max_energy_range_uj": "262143328850\n",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    return import_model(
        models.save(models.yolox(HW), folder, "first.onnx"), folder / "first", name="first", labels=list(models.NAMES)
    )


def state_of(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = bench.reported().get("governor_state") or {}
    return found


@dataclass
class Governing:
    """The part of the module that governs, with a model that serves and a twin that is in force."""

    hub: MemoryHub
    service: Service[InferenceConfig]
    governor: Governor
    rate: FrameShare
    seat: Seat
    cursor: CursorWriter

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hub.reported("inference").get("governor_state") or {}
        return found

    def told(self) -> list[ModelThrottled]:
        """Each once; looking at it is processing it, as sync would say through its cursor."""
        found: dict[str, ModelThrottled] = {}
        for body in [message.body for message in self.hub.upstream if message.output == "events"]:
            message = msgspec.json.decode(body, type=Envelope[ModelThrottled])
            self.cursor.advance(message.boot, message.sent)
            found.update({item.key: item for item in message.items})
        return list(found.values())


@asynccontextmanager
async def governing(
    folder: Path, bundle: Path, files: dict[str, str], desired: dict[str, Any], frames: Callable[[], int]
) -> AsyncIterator[Governing]:
    hub = MemoryHub({("inference", "events"): UPSTREAM})
    hub.set_desired("inference", desired)
    env = environment("inference", folder)
    cursor = CursorWriter.open(env.frames, sender="inference", output="events", consumer="sync")
    with closing(ModelsInService()) as serving, closing(cursor):
        async with open_service(env, InferenceConfig, make_link=hub.link("inference")) as service:
            seat, rate = Seat(MAIN, serving), FrameShare()
            machine = lay_out(folder / "machine", files)
            governor = Governor(service, Seats(seat), rate, Telling(service), frames=frames, machine=machine)
            await service.start()

            async def accept(_new: InferenceConfig, _former: InferenceConfig | None) -> None:
                pass

            loaded = LoadedBundle.load(ModelConfig(path=str(bundle)), TrustPolicy(Path("/nowhere/trust.json")))
            serving.replace(ServingModel(loaded, open_engine(loaded.bundle)), InferenceConfig())
            async with task(service.twin.run(accept)):
                await until(lambda: service.twin.current is not None, timeout_s=60)
                with governor.metered():
                    yield Governing(hub, service, governor, rate, seat, cursor)


async def test_heat_is_told_by_twin_metrics_and_event_from_its_begin_to_its_end(tmp_path: Path, bundle: Path) -> None:
    frames = iter(range(0, 100_000, 50))
    async with governing(tmp_path, bundle, MACHINE, {"governor": {"hot_celsius": 80}}, lambda: next(frames)) as part:
        part.governor.look(0.0)
        await until(part.state, timeout_s=60)
        assert (part.state()["level"], part.state()["rate"], part.state()["energy"]) == (0, 1.0, "package-0")
        (tmp_path / f"machine/{ZONE}/temp").write_text("91000\n")
        for second in range(5, 55, 5):
            part.governor.look(float(second))
        assert (part.rate.share, part.seat.load.saving) == (0.5, True)
        values = part.service.metrics.values()
        assert (values["vigie_governor_level"], values["vigie_governor_rate_ratio"]) == (2, 0.5)
        assert values['vigie_zone_celsius{zone="cpu-thermal"}'] == 91
        await until(lambda: part.state().get("level") == 2, timeout_s=60)
        assert part.state()["reasons"] == ["cpu-thermal at 91.0 degrees Celsius, hot from 80"]
        (tmp_path / f"machine/{ZONE}/temp").write_text("60000\n")
        for second in range(55, 300, 5):
            part.governor.look(float(second))
        assert (part.rate.share, part.seat.load.saving) == (1.0, False)
        await until(lambda: any(one.phase == "end" for one in part.told()), timeout_s=60)
        told = part.told()
        assert [(one.phase, one.level) for one in told] == [("new", 1), ("update", 2), ("update", 1), ("end", 0)]
        assert (told[0].causes, told[0].camera, told[1].rate) == (("temperature",), "", 0.5)
        assert len({(one.id, one.started_at) for one in told}) == 1
        assert len({one.key for one in told}) == 4


async def test_joules_per_frame_are_those_of_the_meter(tmp_path: Path, bundle: Path) -> None:
    count = [0]
    async with governing(tmp_path, bundle, MACHINE, {}, lambda: count[0]) as part:
        part.governor.look(0.0)
        for tick in range(1, 63):
            count[0] = tick * 10
            (tmp_path / f"machine/{RAPL}/energy_uj").write_text(f"{1_000_000 + tick * 25_000_000}\n")
            part.governor.look(tick * 5.0)
        values = part.service.metrics.values()
        assert values['vigie_frame_energy_joules{meter="package-0"}'] == pytest.approx(2.5)
        assert values['vigie_energy_joules_total{meter="package-0"}'] == pytest.approx(62 * 25)
        assert values["vigie_frame_cpu_seconds"] >= 0
        await until(lambda: part.state().get("joules_per_frame") == pytest.approx(2.5), timeout_s=60)


async def test_a_power_cap_holds_back_by_what_the_meter_shows(tmp_path: Path, bundle: Path) -> None:
    async with governing(tmp_path, bundle, MACHINE, {"governor": {"power_watts_max": 4}}, lambda: 0) as part:
        for tick in range(8):
            (tmp_path / f"machine/{RAPL}/energy_uj").write_text(f"{1_000_000 + tick * 25_000_000}\n")
            part.governor.look(tick * 5.0)
        assert part.seat.load.saving
        await until(lambda: part.state().get("level") == 1, timeout_s=60)
        assert part.state()["reasons"] == ["5.0 W drawn, $.governor.power_watts_max is 4"]


async def test_without_a_meter_energy_is_called_an_estimate(tmp_path: Path, bundle: Path) -> None:
    async with governing(tmp_path, bundle, {}, {}, lambda: 0) as part:
        part.governor.look(0.0)
        await until(part.state, timeout_s=60)
        assert part.state()["energy"].endswith("as an estimate")
        assert "joules_per_frame" not in part.state()


async def test_the_objective_power_critical_ranks_by_energy_and_infers_the_least_share_but_every_kept_frame(
    tmp_path: Path, bundle: Path
) -> None:
    async with inference(tmp_path, machine=lay_out(tmp_path / "machine", MACHINE)) as bench:
        spec = await bench.serve(
            bundle, runtime={"measure": "off", "objective": "power_critical"}, governor={"rate_min": 0.5}
        )
        state = await until(lambda: now if (now := state_of(bench)).get("level") == 4 else None, timeout_s=60)
        assert (state["rate"], state["reasons"]) == (0.5, ["$.runtime.objective is power_critical"])
        settled = await bench.until_runtime(lambda now: now["objective"] == "energy")
        assert settled["serving"]["engine"] == "onnxruntime"
        for seed in range(4):
            bench.send(picture(seed, HW), spec.version)
        await until(lambda: bench.dropped("throttled") == 2, timeout_s=60)
        kept = [bench.send(picture(7, HW), spec.version, keep=True) for _ in range(2)]
        await until(lambda: set(kept) <= {item.seq for item in bench.results()}, timeout_s=60)
        assert {item.seq for item in bench.results()} == {1, 3, *kept}
        assert bench.dropped("throttled") == 2


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"hot_celsius": 10}, "$.governor.hot_celsius"),
        ({"rate_min": 0}, "$.governor.rate_min"),
        ({"battery_percent": 101}, "$.governor.battery_percent"),
        ({"hot": 80}, "$.governor"),
    ],
)
async def test_settings_that_make_no_sense_are_refused_with_their_path(
    tmp_path: Path, settings: dict[str, Any], path: str
) -> None:
    async with inference(tmp_path, machine=tmp_path) as bench:
        answers = await bench.desire(governor=settings)
        refused = answers["governor"]
        assert refused["ac"] == 400
        assert path in refused["ad"]
