"""Which inputs, outputs, threads and methods the module has, and what connects them."""

from __future__ import annotations

from vigie.contracts import names
from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import TensorItem
from vigie.demand import offer_demands
from vigie.service import Service
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.fit import FitStage
from vigie_preprocess.methods import offer_methods


async def run_preprocess(service: Service[PreprocessConfig]) -> None:
    """Until cancelled."""
    frames = service.input(names.FRAMES, FrameItem, order_of=lambda frame: None if frame.keep else frame.camera)
    specs = service.input(names.INPUT_SPEC, InputSpec)
    tensors = service.output(names.TENSORS, (names.INFERENCE, names.TENSORS), item_type=TensorItem, doorbell=True)
    stage = FitStage(service, frames, specs, tensors)
    offer_methods(service, stage)
    offer_demands(service)

    service.thread("preprocess.fit", stage.run)
    await service.start()
    await service.twin.run(stage.apply)
