"""Which model and engine answer a tensor: the serving one, for a short while the one before it, and who stands by.

Tensors that were fitted for the former model are still on their way when a model is replaced; it answers them, so that
no frame goes unanswered, and is closed when none has come for a while. When only the engine changes, the input spec
stays, so the new engine answers from the next tensor on. While an engine serves that lives in a process of its own, one
in this process stands by: should the former fail in the middle of a frame, the latter answers that frame.

Engines are closed when no frame uses them any more (``retire``), or when the threads have ended (``close``).
"""

from __future__ import annotations

import threading
import time

from vigie.runtimes import Engine
from vigie.runtimes.engines.opening import is_safe
from vigie_inference.config import InferenceConfig
from vigie_inference.serving import Filter, ServingModel

# Longer than the time-to-live of the route that carries tensors.
RETIRE_AFTER_S = 8.0


class ModelsInService:
    """Shared by the control plane (``replace``, ``switch``, ``refilter``) and the inference threads (all else)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: tuple[ServingModel, Filter] | None = None
        self._former: tuple[ServingModel, Filter] | None = None
        self._standby: ServingModel | None = None
        self._done_with: list[ServingModel] = []
        self._replaced_s = 0.0
        self._closed_too: list[ModelsInService] = []

    def close_too(self, other: ModelsInService) -> None:
        """Close the models of another seat with these."""
        with self._lock:
            self._closed_too.append(other)

    @property
    def serving(self) -> ServingModel | None:
        with self._lock:
            return self._serving[0] if self._serving else None

    def replace(self, model: ServingModel, config: InferenceConfig) -> None:
        """Serve ``model`` from the next tensor of its spec on.

        Raises: ConfigRefusedError: the configuration does not fit the model; nothing has changed.
        """
        pair = (model, Filter(config, model.loaded))
        with self._lock:
            self._make_former(pair)

    def switch(self, before: ServingModel, engine: Engine) -> ServingModel | None:
        """Let ``engine`` serve in place of the engine of ``before``; None, and nothing done, if that serves no more."""
        with self._lock:
            if self._serving is None or self._serving[0] is not before:
                return None
            after = ServingModel(before.loaded, engine)
            self._serving = (after, self._serving[1])
            if is_safe(engine.candidate):
                self._done_with += [before, *([self._standby] if self._standby else [])]
                self._standby = None
            elif self._standby is None and is_safe(before.engine.candidate):
                self._standby = before
            else:
                self._done_with.append(before)
            return after

    def fail_over(self, failed: ServingModel) -> ServingModel | None:
        """The serving engine is of no use any more: the one that stands by serves from now on; None if none does.

        What is returned is in use until ``release``.
        """
        with self._lock:
            if self._serving is None or self._serving[0] is not failed or self._standby is None:
                return None
            after, self._standby = self._standby, None
            self._serving = (after, self._serving[1])
            self._done_with.append(failed)
            after.users += 1
            return after

    def refilter(self, config: InferenceConfig) -> None:
        """Apply new thresholds or classes to the serving model.

        Raises: ConfigRefusedError: a class that the model does not know; nothing has changed.
        """
        with self._lock:
            if self._serving is not None:
                self._serving = (self._serving[0], Filter(config, self._serving[0].loaded))

    def withdraw(self) -> None:
        """Serve nothing: the model was removed from the configuration."""
        with self._lock:
            self._make_former(None)

    def answering(self, spec_version: str) -> tuple[ServingModel, Filter] | None:
        """The model that tensors of this spec were fitted for, if it is still in service; in use until ``release``."""
        with self._lock:
            for pair in (self._serving, self._former):
                if pair is not None and pair[0].spec.version == spec_version:
                    pair[0].users += 1
                    return pair
        return None

    def release(self, model: ServingModel) -> None:
        """A frame is answered."""
        with self._lock:
            model.users -= 1

    def runs_at_a_time(self) -> int:
        """Of the serving model."""
        with self._lock:
            return 1 if self._serving is None else self._serving[0].runs

    def retire(self) -> None:
        """Close what is no longer needed; called now and then by the thread that takes tensors."""
        with self._lock:
            if self._former is not None and time.monotonic() - self._replaced_s > RETIRE_AFTER_S:
                self._part_with_former()
            done_with = [model for model in self._done_with if not model.users]
            self._done_with = [model for model in self._done_with if model.users]
        for model in done_with:
            model.close()

    def close(self) -> None:
        with self._lock:
            pairs = [pair[0] for pair in (self._serving, self._former) if pair is not None]
            everything = [*pairs, *([self._standby] if self._standby else []), *self._done_with]
            self._serving = self._former = self._standby = None
            self._done_with = []
            closed_too, self._closed_too = self._closed_too, []
        for model in everything:
            model.close()
        for other in closed_too:
            other.close()

    def _make_former(self, serving: tuple[ServingModel, Filter] | None) -> None:
        """The lock is held. Who stands by belongs to the model that served until now and goes first."""
        self._part_with_former()
        if self._standby is not None:
            self._done_with.append(self._standby)
            self._standby = None
        self._former, self._serving, self._replaced_s = self._serving, serving, time.monotonic()

    def _part_with_former(self) -> None:
        if self._former is not None:
            self._done_with.append(self._former[0])
            self._former = None
