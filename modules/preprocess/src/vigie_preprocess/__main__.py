"""The preprocess module, as a table of contents."""

from __future__ import annotations

from vigie.config import ModuleEnvironment
from vigie.contracts import envelope, names
from vigie.contracts.frames import FrameItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import TensorItem
from vigie.service import open_service, run_module
from vigie_preprocess.config import PreprocessConfig
from vigie_preprocess.fit import FitStage
from vigie_preprocess.methods import offer_methods


async def main(env: ModuleEnvironment) -> None:
    async with open_service(env, PreprocessConfig) as service:
        frames = service.input(names.FRAMES, FrameItem)
        specs = service.input(names.INPUT_SPEC, InputSpec)
        tensors = service.output(
            names.TENSORS,
            consumer=(names.INFERENCE, names.TENSORS),
            item_type=TensorItem,
            schema=envelope.TENSORS,
            max_outstanding=PreprocessConfig().slots - 2,
        )
        stage = FitStage(service, frames, specs, tensors, env.frames)
        offer_methods(service, stage)

        service.thread("preprocess.fit", stage.run)
        await service.start()
        await service.twin.run(stage.apply)


if __name__ == "__main__":
    raise SystemExit(run_module(names.PREPROCESS, main))
