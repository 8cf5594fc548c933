"""Makes an accepted configuration take effect: load, replace, refilter; or refuse and change nothing."""

from __future__ import annotations

import asyncio

import msgspec

from vigie.log import get_logger
from vigie.models.trust import trust_of
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig, ModelConfig, objective_of
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.which_model import which_model

log = get_logger("inference")

NO_MODEL = 'no model: set desired property \'model\' to {"name": "<bundle>"} or {"path": "<bundle folder>"}'


class ApplyConfig:
    """Called by the twin feed for each desired version; raises ConfigRefusedError to keep the former one."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        models: ModelsInService,
        announcer: Announcer,
        control: RuntimeControl,
    ) -> None:
        self._service, self._models, self._announcer, self._control = service, models, announcer, control
        self._trust = trust_of(service.env)
        service.health.not_ready("inference.model", NO_MODEL)

    async def __call__(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        objective_of(new)  # a contradiction is refused before anything is touched
        wanted = which_model(new.model, self._service.env.models)
        if wanted is None:
            self._models.withdraw()
            self._service.health.not_ready("inference.model", NO_MODEL)
            self._service.twin.report({"model_state": None})
            self._control.adopt(None, new)
            return
        serving = self._models.serving
        if previous is None or serving is None or new.model != previous.model:
            await self._serve(new, wanted)
            return
        if new.runtime.engine is not None:
            await asyncio.to_thread(self._control.check, serving.loaded, new)
        self._models.refilter(new)
        if (new.runtime, new.threads) != (previous.runtime, previous.threads):
            self._control.adopt(serving.loaded, new)

    async def _serve(self, config: InferenceConfig, wanted: ModelConfig) -> None:
        loaded = await asyncio.to_thread(LoadedBundle.load, wanted, self._trust)
        first = await asyncio.to_thread(self._control.first, loaded, config)
        model = await asyncio.to_thread(ServingModel.open, loaded, first)
        try:
            self._models.replace(model, config)
        except Exception:
            model.close()
            raise
        self._announcer.model_changed()
        self._service.health.ready("inference.model")
        self._service.twin.report(
            {
                "model_state": {
                    "id": loaded.bundle.card.name,
                    "input_spec": loaded.spec.version,
                    "signature": msgspec.structs.asdict(loaded.signed),
                }
            }
        )
        self._control.report.serves(model, None)
        self._control.adopt(loaded, config)
        log.info(
            "model_serving",
            model=model.spec.version,
            signature=loaded.signed.state,
            signed_by=loaded.signed.name,
            ep=model.engine.provider,
            candidate=model.engine.candidate.key,
            size_hw=model.spec.size_hw,
        )
