"""Which model answers a tensor: the serving one, and for a short while the one before it.

Tensors that were fitted for the former model are still on their way when a model is replaced; it answers them, so that
no frame goes unanswered, and is closed when none has come for a while.
"""

from __future__ import annotations

import threading
import time

from vigie_inference.config import InferenceConfig
from vigie_inference.serving import Filter, ServingModel

# Longer than the time-to-live of the route that carries tensors.
RETIRE_AFTER_S = 8.0


class ModelsInService:
    """Shared by the control plane (``replace``, ``refilter``) and the inference thread (``answering``, ``retire``)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: tuple[ServingModel, Filter] | None = None
        self._former: tuple[ServingModel, Filter] | None = None
        self._replaced_s = 0.0

    @property
    def serving(self) -> ServingModel | None:
        with self._lock:
            return self._serving[0] if self._serving else None

    def replace(self, model: ServingModel, config: InferenceConfig) -> None:
        """Serve ``model`` from the next tensor of its spec on.

        Raises: ConfigRefusedError: the configuration does not fit the model; nothing has changed.
        """
        pair = (model, Filter(config, model))
        with self._lock:
            if self._former is not None:
                self._former[0].close()
            self._former, self._serving, self._replaced_s = self._serving, pair, time.monotonic()

    def refilter(self, config: InferenceConfig) -> None:
        """Apply new thresholds or classes to the serving model.

        Raises: ConfigRefusedError: a class that the model does not know; nothing has changed.
        """
        with self._lock:
            if self._serving is not None:
                self._serving = (self._serving[0], Filter(config, self._serving[0]))

    def withdraw(self) -> None:
        """Serve nothing: the model was removed from the configuration."""
        with self._lock:
            self._former, self._serving, self._replaced_s = self._serving, None, time.monotonic()

    def answering(self, spec_version: str) -> tuple[ServingModel, Filter] | None:
        """The model that tensors of this spec were fitted for, if it is still in service."""
        with self._lock:
            for pair in (self._serving, self._former):
                if pair is not None and pair[0].spec.version == spec_version:
                    return pair
        return None

    def retire(self) -> None:
        """Close the former model when its tensors have passed; called between tensors by the thread that runs it."""
        with self._lock:
            if self._former is not None and time.monotonic() - self._replaced_s > RETIRE_AFTER_S:
                self._former[0].close()
                self._former = None

    def close(self) -> None:
        with self._lock:
            for pair in (self._serving, self._former):
                if pair is not None:
                    pair[0].close()
            self._serving = self._former = None
