"""Makes an accepted configuration take effect: load, replace, refilter; or refuse and change nothing."""

from __future__ import annotations

import asyncio

from vigie.log import get_logger
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import ServingModel

log = get_logger("inference")

NO_MODEL = 'no model: set desired property \'model\' to {"path": "<bundle folder>"}'


class ApplyConfig:
    """Called by the twin feed for each desired version; raises ConfigRefusedError to keep the former one."""

    def __init__(self, service: Service[InferenceConfig], models: ModelsInService, announcer: Announcer) -> None:
        self._service, self._models, self._announcer = service, models, announcer
        self._runtime = service.metrics.gauge(
            "vigie_runtime_info", "What runs the serving model: always 1.", ("provider", "variant")
        )
        service.health.not_ready("inference.model", NO_MODEL)

    async def __call__(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        if new.model is None:
            self._models.withdraw()
            self._service.health.not_ready("inference.model", NO_MODEL)
            self._service.twin.report({"model_state": None, "runtime": None})
            return
        if previous is None or (new.model, new.threads) != (previous.model, previous.threads):
            await self._serve(new)
        else:
            self._models.refilter(new)

    async def _serve(self, config: InferenceConfig) -> None:
        assert config.model is not None  # noqa: S101 - the caller has looked
        model = await asyncio.to_thread(ServingModel.load, config.model, config.threads)
        try:
            self._models.replace(model, config)
        except Exception:
            model.close()
            raise
        self._announcer.model_changed()
        self._runtime.clear()
        self._runtime.labels(model.engine.provider, model.engine.variant).set(1)
        self._service.health.ready("inference.model")
        self._service.twin.report(
            {
                "model_state": {"id": model.bundle.card.name, "input_spec": model.spec.version},
                "runtime": {"provider": model.engine.provider, "variant": model.engine.variant},
            }
        )
        log.info(
            "model_serving",
            model=model.spec.version,
            ep=model.engine.provider,
            variant=model.engine.variant,
            size_hw=model.spec.size_hw,
        )
