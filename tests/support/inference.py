"""The inference module, whole, against a hub in memory, with real rings and real (tiny) models."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from support.modules import Sender, environment, task, until
from vigie.contracts import envelope
from vigie.contracts.detections import Detection, DetectionsItem
from vigie.contracts.disagreement import Disagreement
from vigie.contracts.envelope import Envelope
from vigie.contracts.events import ModelDrift, ModelThrottled, ModelUpdate
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import FrameTransform, TensorItem
from vigie.frames import CursorWriter, RingWriter
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.service import Service, open_service
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.wiring import run_inference

FRAME_HW = (128, 192)
AT = FrameTransform(0.5, 0.5, 0.0, 0.0)


def apart_from_tracks(found: list[Detection]) -> list[Detection]:
    """An object has no track at its first sight: what two results of one picture have in common is the rest."""
    return [msgspec.structs.replace(one, track=None) for one in found]


@dataclass
class Bench:
    """A running inference module and the ends of everything it is connected to."""

    hub: MemoryHub
    service: Service[InferenceConfig]
    tensors: Sender
    ring: RingWriter
    cursor: CursorWriter
    events_cursor: CursorWriter
    seq: int = 0

    def results(self) -> list[DetectionsItem]:
        """What arrived, each frame once; looking at it is processing it, as sync would say through its cursor."""
        found: dict[str, DetectionsItem] = {}
        for body in self._bodies("detections"):
            message = msgspec.json.decode(body, type=Envelope[DetectionsItem])
            self.cursor.advance(message.boot, message.sent)
            found.update({item.trace: item for item in message.items})
        return list(found.values())

    def specs(self) -> list[InputSpec]:
        return [item for body in self._bodies("inputspec") for item in decode(body, InputSpec)]

    def updates(self) -> list[ModelUpdate]:
        """What was told of model updates, each fact once."""
        found: dict[str, ModelUpdate] = {}
        for body in self._bodies("events"):
            message = msgspec.json.decode(body, type=Envelope[ModelUpdate | ModelDrift | ModelThrottled | Disagreement])
            self.events_cursor.advance(message.boot, message.sent)
            found.update({item.key: item for item in message.items if isinstance(item, ModelUpdate)})
        return list(found.values())

    def disagreements(self) -> list[Disagreement]:
        """Frames in which a model on trial saw other things than the serving one, as they came."""
        union = Envelope[ModelUpdate | ModelDrift | ModelThrottled | Disagreement]
        items = [item for body in self._bodies("events") for item in msgspec.json.decode(body, type=union).items]
        return [item for item in items if isinstance(item, Disagreement)]

    def _bodies(self, output: str) -> list[bytes]:
        return [message.body for message in self.hub.upstream if message.output == output]

    def dropped(self, reason: str) -> float:
        name = f'vigie_items_dropped_total{{camera="dock",reason="{reason}"}}'
        return self.service.metrics.values().get(name, 0.0)

    def reported(self) -> dict[str, Any]:
        return self.hub.reported("inference")

    def runtime(self) -> dict[str, Any]:
        found: dict[str, Any] = self.reported().get("runtime_state") or {}
        return found

    async def desire(self, **desired: Any) -> dict[str, Any]:
        """Set the whole desired side and return the acknowledgements when they answer it."""
        version = self.hub.set_desired("inference", desired)
        await until(lambda: any(one.get("av") == version for one in self._acknowledgements().values()), timeout_s=60)
        return self._acknowledgements()

    def _acknowledgements(self) -> dict[str, Any]:
        return {name: one for name, one in self.reported().items() if isinstance(one, dict) and "ac" in one}

    async def serve(self, bundle: Path, **settings: Any) -> InputSpec:
        version = self.hub.set_desired("inference", {"model": {"path": str(bundle)}, **settings})
        await until(lambda: self.reported().get("model", {}).get("av") == version, timeout_s=60)
        assert self.reported()["model"]["ac"] == 200, self.reported()
        name = bundle.name
        return await until(lambda: next((spec for spec in self.specs() if spec.version.startswith(name)), None))

    async def serve_folder(self, bundle: Path) -> None:
        """Serve ``bundle`` and measure nothing."""
        version = self.hub.set_desired("inference", {"model": {"path": str(bundle)}, "runtime": {"measure": "off"}})
        await until(lambda: self.reported().get("model", {}).get("av") == version, timeout_s=60)
        assert self.reported()["model"]["ac"] == 200, self.reported()

    def send(
        self,
        tensor: np.ndarray,
        spec_version: str,
        *,
        keep: bool = False,
        trial: bool = False,
        camera: str = "dock",
        named: str = "",
        beside: bool = False,
    ) -> int:
        """The number of the frame; with ``trial`` it is the tensor of the last one for the model on trial.

        So it is with ``beside``, for the model ``named`` that sees the same frame.
        """
        reference = self.ring.write(tensor)
        assert reference is not None
        self.seq += not (trial or beside)
        self.tensors.send(
            TensorItem(
                camera=camera,
                seq=self.seq,
                trace=f"{camera}-0badc0de-{self.seq}",
                captured_at="2026-01-01T00:00:00.000000+00:00",
                captured_ns=time.monotonic_ns(),
                frame_hw=FRAME_HW,
                transform=AT,
                spec_version=spec_version,
                pixels=reference,
                preprocessed_ms=1.0,
                keep=keep,
                trial=trial,
                named=named,
                beside=beside,
            )
        )
        return self.seq

    async def answered(
        self, tensor: np.ndarray, spec_version: str, *, camera: str = "dock", named: str = ""
    ) -> DetectionsItem:
        """Send one tensor and wait for what comes of it."""
        seq = self.send(tensor, spec_version, camera=camera, named=named)
        return await until(
            lambda: next((item for item in self.results() if item.seq == seq), None), timeout_s=200, what=f"frame {seq}"
        )

    async def until_runtime(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The runtime's state as soon as it is decided and ``condition`` holds of it."""
        await until(
            lambda: self.runtime().get("phase") in {"settled", "degraded"} and condition(self.runtime()), timeout_s=400
        )
        return self.runtime()

    async def settled(self, timeout_s: float = 400.0) -> dict[str, Any]:
        """The runtime's state once everything is measured and decided."""
        await until(lambda: self.runtime().get("phase") in {"settled", "degraded"}, timeout_s=timeout_s, what="settled")
        return self.runtime()


def decode(body: bytes, item_type: Any) -> list[Any]:
    return list(msgspec.json.decode(body, type=Envelope[item_type]).items)


def picture(seed: int, hw: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


@asynccontextmanager
async def inference(folder: Path, *, machine: Path = Path("/"), **environ: Any) -> AsyncIterator[Bench]:
    """The module with its state in ``folder``; entered again with the same folder it is a restart.

    ``machine``: where its sensors lie.
    ``environ``: fields of its environment that differ from the usual ones.
    """
    hub = MemoryHub(
        {
            ("preprocess", "tensors"): ("inference", "tensors"),
            ("inference", "detections"): UPSTREAM,
            ("inference", "inputspec"): UPSTREAM,
            ("inference", "blur"): UPSTREAM,
            ("inference", "events"): UPSTREAM,
        }
    )
    env = dataclasses.replace(environment("inference", folder), **environ)
    ring = RingWriter.open(env.frames, "tensors", slot_bytes=96 * 96 * 3, slots=6)
    cursor = CursorWriter.open(env.frames, sender="inference", output="detections", consumer="sync")
    events_cursor = CursorWriter.open(env.frames, sender="inference", output="events", consumer="sync")
    with closing(ModelsInService()) as serving, closing(ring), closing(cursor), closing(events_cursor):
        async with open_service(env, InferenceConfig, make_link=hub.link("inference")) as service:
            sender = Sender(hub, "preprocess", "tensors", str(envelope.TENSORS))
            async with task(run_inference(service, serving, machine=machine)):
                yield Bench(hub, service, sender, ring, cursor, events_cursor)
