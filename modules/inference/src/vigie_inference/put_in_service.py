"""Lets a bundle serve, whoever asks for it: the twin's ``model``, or an update that is committed or taken back."""

from __future__ import annotations

import threading

import msgspec

from vigie.errors import ConfigRefusedError
from vigie.log import get_logger
from vigie.models.trust import trust_of
from vigie.runtimes import Candidate
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.model_files import ModelFiles
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.serving import LoadedBundle, ServingModel
from vigie_inference.which_model import shelf

log = get_logger("inference")


class PutInService:
    """``lock`` is held by whoever decides what serves, from the decision until it is done."""

    def __init__(
        self,
        service: SeatService,
        models: ModelsInService,
        announcer: Announcer,
        control: RuntimeControl,
    ) -> None:
        self._service, self._models, self._announcer, self._control = service, models, announcer, control
        self._trust = trust_of(service.env)
        self.files = ModelFiles()
        self.lock = threading.RLock()
        self.served: ModelConfig | None = None

    def load(self, wanted: ModelConfig, config: InferenceConfig) -> None:
        """Load, open and serve ``wanted``; the lock is held.

        Raises: ConfigRefusedError: the bundle, its engine or the configuration is refused; nothing has changed.
        """
        self.place(self.open(self.read(wanted), config), config)

    def read(self, wanted: ModelConfig) -> LoadedBundle:
        """Raises: ConfigRefusedError: the bundle, or who signed it, is refused."""
        return self.files.read(str(wanted.path), lambda: LoadedBundle.load(wanted, self._trust))

    def open(self, loaded: LoadedBundle, config: InferenceConfig, candidate: Candidate | None = None) -> ServingModel:
        """``loaded`` with ``candidate``, or with the engine that answers first. Raises: ConfigRefusedError."""
        if candidate is None:
            return self._control.first(loaded, config)
        return self._control.engines.first(loaded, candidate, config)

    def place(self, model: ServingModel, config: InferenceConfig) -> None:
        """Serve the open ``model`` from the next tensor of its spec on; the lock is held.

        Raises: ConfigRefusedError: the configuration does not fit the model, which is closed; nothing has changed.
        """
        try:
            self._models.replace(model, config)
        except Exception:
            model.close()
            raise
        loaded = model.loaded
        self.served = loaded.wanted
        self._announcer.model_changed()
        self._service.health.ready("inference.model")
        self._service.twin.report(
            {
                "model_state": {
                    "id": loaded.bundle.card.name,
                    "input_spec": loaded.spec.version,
                    "signature": msgspec.structs.asdict(loaded.signed),
                    "shelf": self._shelf(),
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

    def _shelf(self) -> list[str]:
        folders = self._service.env.models
        try:
            return self.files.read(", ".join(map(str, folders)), lambda: shelf(folders))
        except ConfigRefusedError as error:
            log.warning("models_not_listed", reason=error.reason)
            return []

    def nothing(self, config: InferenceConfig, why: str) -> None:
        """Serve nothing; the lock is held."""
        self.served = None
        self._models.withdraw()
        self._announcer.model_changed()
        self._service.health.not_ready("inference.model", why)
        self._service.twin.report({"model_state": None})
        self._control.adopt(None, config)
