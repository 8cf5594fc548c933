"""Makes an accepted configuration take effect: load, replace, refilter; or refuse and change nothing."""

from __future__ import annotations

import asyncio

from vigie.contracts.detections import DetectionsItem
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_inference.config import InferenceConfig, objective_of
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.update.updates import Updates
from vigie_inference.which_model import which_model

NO_MODEL = 'no model: set desired property \'model\' to {"name": "<bundle>"} or {"path": "<bundle folder>"}'


class ApplyConfig:
    """Called by the twin feed for each desired version; raises ConfigRefusedError to keep the former one."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        models: ModelsInService,
        control: RuntimeControl,
        put: PutInService,
        updates: Updates,
        *,
        detections: Output[DetectionsItem],
    ) -> None:
        self._service, self._models, self._control, self._put = service, models, control, put
        self._updates, self._detections = updates, detections
        service.health.not_ready("inference.model", NO_MODEL)

    async def __call__(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        await asyncio.to_thread(self._apply, new, previous)

    def _apply(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        objective_of(new)  # a contradiction is refused before anything is touched
        self._detections.configure(doorbells=new.doorbells)
        with self._put.lock:
            self._updates.check(new)
            wanted = self._updates.committed(new) or which_model(new.model, self._service.env.models)
            if wanted is None:
                self._put.nothing(new, NO_MODEL)
            else:
                serving = self._models.serving
                if previous is None or serving is None or wanted != self._put.served:
                    self._put.load(wanted, new)
                else:
                    if new.runtime.engine is not None:
                        self._control.check(serving.loaded, new)
                    self._models.refilter(new)
                    if (new.runtime, new.threads) != (previous.runtime, previous.threads):
                        self._control.adopt(serving.loaded, new)
            self._updates.configured(new)
