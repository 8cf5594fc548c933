"""Makes an accepted configuration take effect: load, replace, refilter; or refuse and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vigie.contracts.detections import DetectionsItem
from vigie.errors import ConfigRefusedError
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.objective import objective_of
from vigie_inference.pins import PLACE, deprecated_pins, notes_on_pins
from vigie_inference.put_in_service import PutInService
from vigie_inference.refused_model import RefusedModel
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.seats.seating import Seating
from vigie_inference.seats.who_serves import check_seats
from vigie_inference.update.sources import check_sources
from vigie_inference.update.updates import Updates
from vigie_inference.which_model import which_model

log = get_logger("inference")

LOOK_S = 2.0
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
        seating: Seating,
        ringing: Sequence[Output[DetectionsItem]],
    ) -> None:
        """``ringing``: the outputs that may leave the route."""
        self._service, self._models, self._control, self._put = service, models, control, put
        self._updates, self._seating, self._ringing = updates, seating, ringing
        self._refused = RefusedModel()
        service.health.not_ready("inference.model", NO_MODEL)

    async def __call__(self, new: InferenceConfig, previous: InferenceConfig | None) -> dict[str, str]:
        """Returns: what the acknowledgement of a property says of it."""
        await asyncio.to_thread(self._try, new, previous)
        for path in deprecated_pins(new):
            log.warning("property_deprecated", path=path, instead=PLACE)
        return notes_on_pins(new)

    async def try_again(self) -> None:
        """Apply the twin once more when the files of a model that was refused have changed; for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            if await asyncio.to_thread(self._refused.look):
                log.info("refused_model_tried_again")
                self._service.twin.again()

    def _try(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        try:
            self._apply(new, previous)
        except ConfigRefusedError as error:
            if error.path.startswith("$.model"):
                self._refused.remember(new.model, self._service.env.models)
            if self._models.serving is None:
                # What the start before reported is still in the twin: nothing of it serves.
                self._service.twin.report({"model_state": None, "runtime_state": None})
                self._service.health.not_ready("inference.model", f"{error.path}: {error.reason}")
            raise
        if previous is None or new.model != previous.model:
            self._refused.forget()

    def _apply(self, new: InferenceConfig, previous: InferenceConfig | None) -> None:
        # A contradiction is refused before anything is touched.
        objective_of(new)
        check_seats(new)
        check_sources(new)
        for output in self._ringing:
            output.configure(doorbells=new.doorbells)
        with self._put.lock:
            wanted = self._updates.committed(new) or self._which_model(new)
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
        self._seating.configure(new)

    def _which_model(self, new: InferenceConfig) -> ModelConfig | None:
        shelves = self._service.env.models
        if new.model is not None and new.model.path is not None:
            return which_model(new.model, shelves)
        return self._put.files.read(", ".join(map(str, shelves)), lambda: which_model(new.model, shelves))
