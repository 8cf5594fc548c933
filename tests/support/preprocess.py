"""The preprocess module, whole, against a hub in memory and real rings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from support.modules import Sender, environment, task
from vigie.contracts import envelope
from vigie.contracts.envelope import Envelope
from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.pixels import InlineJpeg, RingReference
from vigie.contracts.tensors import TensorItem
from vigie.frames import CursorWriter, RingPool, RingWriter
from vigie.messaging.memory import UPSTREAM, MemoryHub
from vigie.service import Service, open_service
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.wiring import run_preprocess

SPEC = InputSpec("model-1/abc", (64, 96), "top_left", 114)
FRAME_HW = (120, 160)


class Metrics:
    def __init__(self, service: Service[PreprocessConfig]) -> None:
        self._service = service

    def __getitem__(self, name: str) -> float:
        return self._service.metrics.values().get(name, 0.0)


@dataclass
class Bench:
    """A running preprocess module and the ends of everything it is connected to."""

    hub: MemoryHub
    frames: Sender
    specs: Sender
    camera: RingWriter
    folder: Path
    metrics: Metrics

    def tensors(self) -> list[TensorItem]:
        return [
            item
            for message in self.hub.upstream
            if message.output == "tensors"
            for item in msgspec.json.decode(message.body, type=Envelope[TensorItem]).items
        ]

    def reported(self) -> dict[str, Any]:
        return self.hub.reported("preprocess")

    def send_frame(self, seq: int, frame_bgr: NDArray[np.uint8], *, keep: bool = False) -> RingReference:
        reference = self.camera.write(frame_bgr)
        assert reference is not None
        self.frames.send(item(seq, reference, keep=keep))
        return reference

    def arrived(self, seq: int, cursor: CursorWriter, pool: RingPool) -> bool:
        """Whether the tensor of frame ``seq`` came, with its pixels still there; what came is processed, as inference
        would say through ``cursor``.
        """
        for message in self.hub.upstream:
            if message.output == "tensors":
                found = msgspec.json.decode(message.body, type=Envelope[TensorItem])
                cursor.advance(found.boot, found.sent)
        mine = next((one for one in self.tensors() if one.seq == seq), None)
        if mine is None:
            return False
        with pool.lease(mine.pixels):
            return True


def item(seq: int, pixels: RingReference | InlineJpeg, *, keep: bool = False) -> FrameItem:
    return FrameItem(
        camera="dock",
        seq=seq,
        trace=f"dock-0badc0de-{seq}",
        captured_at="2026-01-01T00:00:00.000000+00:00",
        captured_ns=time.monotonic_ns(),
        frame_hw=FRAME_HW,
        pixels=pixels,
        keep=keep,
    )


def picture(seed: int) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(small, FRAME_HW[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


@asynccontextmanager
async def preprocess(folder: Path) -> AsyncIterator[Bench]:
    """Nobody follows preprocess here: its tensors go where a test can read them."""
    hub = MemoryHub(
        {
            ("camera", "frames"): ("preprocess", "frames"),
            ("inference", "inputspec"): ("preprocess", "inputspec"),
            ("preprocess", "tensors"): UPSTREAM,
        }
    )
    env = environment("preprocess", folder)
    camera = RingWriter.open(env.frames, "dock", slot_bytes=FRAME_HW[0] * FRAME_HW[1] * 3, slots=4)
    async with (
        open_service(env, PreprocessConfig, make_link=hub.link("preprocess")) as service,
        task(run_preprocess(service)),
    ):
        yield Bench(
            hub,
            Sender(hub, "camera", "frames", str(envelope.FRAMES)),
            Sender(hub, "inference", "inputspec", str(envelope.INPUT_SPEC)),
            camera,
            env.frames,
            Metrics(service),
        )
    camera.close()
