"""The inference module, as a table of contents."""

from __future__ import annotations

from contextlib import closing

from vigie.config import ModuleEnvironment
from vigie.contracts import envelope, names
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.inputspec import InputSpec
from vigie.contracts.tensors import TensorItem
from vigie.service import open_service, run_module
from vigie_inference.announce import Announcer
from vigie_inference.apply import ApplyConfig
from vigie_inference.config import InferenceConfig
from vigie_inference.infer import InferStage
from vigie_inference.methods import offer_methods
from vigie_inference.models_in_service import ModelsInService

# Results waiting for sync: minutes of one camera, some megabytes.
RESULTS_WAITING_MAX = 4000


async def main(env: ModuleEnvironment) -> None:
    async with open_service(env, InferenceConfig) as service:
        with closing(ModelsInService()) as models:
            tensors = service.input(names.TENSORS, TensorItem)
            detections = service.output(
                names.DETECTIONS,
                consumer=(names.SYNC, names.DETECTIONS),
                item_type=DetectionsItem,
                schema=envelope.DETECTIONS,
                max_outstanding=RESULTS_WAITING_MAX,
            )
            specs = service.output(
                names.INPUT_SPEC,
                consumer=(names.PREPROCESS, names.INPUT_SPEC),
                item_type=InputSpec,
                schema=envelope.INPUT_SPEC,
                max_outstanding=4,
            )
            stage = InferStage(service, tensors, detections, models, env.frames)
            announcer = Announcer(service, specs, models, stage)
            offer_methods(service, models)

            service.thread("inference.infer", stage.run)
            service.thread("inference.announce", announcer.run)
            await service.start()
            await service.twin.run(ApplyConfig(service, models, announcer))


if __name__ == "__main__":
    raise SystemExit(run_module(names.INFERENCE, main))
