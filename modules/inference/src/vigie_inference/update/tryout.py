"""A bundle of this device beside the one that serves, because somebody wants to see it: by method, for a while.

The trial of an update decides whether a release may serve; this decides nothing and touches nothing that serves. It
ends by itself, at once when an update needs the place, and a restart forgets it.
"""

from __future__ import annotations

import threading
import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.errors import ConfigRefusedError, MethodRefusedError
from vigie.log import get_logger
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.put_in_service import PutInService
from vigie_inference.serving import Filter, ServingModel
from vigie_inference.update.report import TrialState, UpdateReport, trial_state
from vigie_inference.update.trial import Trial, TrialRun
from vigie_inference.which_model import which_model

log = get_logger("inference")

_TOLD_EVERY_S = 2.0
_UNDER_WAY = frozenset({"downloading", "verifying", "selecting", "warming", "shadowing", "waiting"})


class TryModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``try_model``: a bundle by ``name`` or ``path``, as in desired property ``model``.

    ``share`` of the frames, for at most ``seconds``; ``cpu_max``: most of one CPU that it may use.
    """

    name: Annotated[str, Meta(max_length=64)] | None = None
    path: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    variant: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seconds: Annotated[float, Meta(gt=0, le=3600)] = 300.0
    cpu_max: Annotated[float, Meta(gt=0, le=1)] = 0.5


class EndTry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Request of ``end_try``: no arguments."""


class TryoutState(msgspec.Struct, frozen=True, omit_defaults=True):
    """``model``: card, version and digest; ``trial``: what both models saw in the same frames, and how fast."""

    phase: Literal["running", "ended"]
    model: str
    engine: str
    reason: str = ""
    trial: TrialState | None = None


class Tryout:
    """Methods: any thread. ``run``: the body of a thread of its own."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        models: ModelsInService,
        put: PutInService,
        *,
        updates: UpdateReport,
        trial: TrialRun,
        announcer: Announcer,
    ) -> None:
        self._service, self._models, self._put, self._updates = service, models, put, updates
        self._trial, self._announcer = trial, announcer
        self._lock = threading.Lock()
        self._mine: Trial | None = None
        self._until_s = 0.0
        self._state: TryoutState | None = None
        service.method("try_model", TryModel, self.begin)
        service.method("end_try", EndTry, lambda _: self.end("ended by method end_try"))

    def begin(self, request: TryModel) -> TryoutState:
        """Raises: MethodRefusedError: no such bundle, nothing serves, or an update has the place."""
        config = self._service.twin.current
        if self._models.serving is None or config is None:
            raise MethodRefusedError(409, "no model serves, so there is nothing to try another one beside")
        with self._lock:
            if self._updates.state.phase in _UNDER_WAY:
                raise MethodRefusedError(409, "a model update is under way; try again when it has ended")
            model, fitting = self._open(request, config)
            mine = Trial(model, fitting, max(1, round(1 / request.share)), request.cpu_max, ended=model.close)
            self._trial.begin(mine)
            self._mine, self._until_s = mine, time.monotonic() + request.seconds
            self._state = TryoutState("running", model.spec.version, model.engine.candidate.key)
            self._announcer.model_changed()
            log.info("tryout_begins", model=model.spec.version, candidate=model.engine.candidate.key)
            self._tell()
            return self._state

    def end(self, reason: str) -> TryoutState:
        """Raises: MethodRefusedError: 409, nothing is tried."""
        with self._lock:
            if self._mine is None or self._state is None:
                raise MethodRefusedError(409, "no model is tried")
            return self._ended(reason)

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(_TOLD_EVERY_S):
            with self._lock:
                if self._mine is not None:
                    self._look()
        with self._lock:
            if self._mine is not None:
                self._trial.end(self._mine)

    def _look(self) -> None:
        """The lock is held."""
        tally, serving_ms, new_ms, failure = self._trial.look()
        if not self._trial.tries(self._mine):
            self._ended("an update needed the place")
        elif failure:
            self._ended(f"failed on a live frame: {failure}")
        elif time.monotonic() >= self._until_s:
            self._ended("its time was over")
        elif self._state is not None:
            self._state = msgspec.structs.replace(self._state, trial=trial_state(tally, serving_ms, new_ms))
            self._tell()

    def _ended(self, reason: str) -> TryoutState:
        """The lock is held, and something is tried."""
        mine, self._mine = self._mine, None
        assert mine is not None  # noqa: S101 - the callers look
        if self._trial.tries(mine):
            tally, serving_ms, new_ms, _ = self._trial.look()
            self._state = msgspec.structs.replace(
                self._state or TryoutState("ended", mine.model.spec.version, ""),
                trial=trial_state(tally, serving_ms, new_ms),
            )
            self._trial.end(mine)
            self._announcer.model_changed()
        state = self._state or TryoutState("ended", mine.model.spec.version, "")
        self._state = msgspec.structs.replace(state, phase="ended", reason=reason)
        log.info("tryout_ends", model=self._state.model, reason=reason)
        self._tell()
        return self._state

    def _open(self, request: TryModel, config: InferenceConfig) -> tuple[ServingModel, Filter]:
        try:
            wanted = which_model(
                ModelConfig(name=request.name, path=request.path, variant=request.variant),
                self._service.env.models,
            )
            if wanted is None:
                raise MethodRefusedError(404, "there is no such bundle")
            loaded = self._put.read(wanted)
            # The variant that is asked for decides which engine opens it, not that of the serving model.
            own = msgspec.structs.replace(config, model=wanted)
            fitting = Filter(own, loaded)
            model = self._put.open(loaded, own)
        except ConfigRefusedError as error:
            raise MethodRefusedError(400, str(error)) from error
        if request.variant is not None and model.engine.variant != request.variant:
            model.close()
            raise MethodRefusedError(
                400,
                f"$.variant: {request.variant!r} has no engine on this machine that could try it; "
                f"{model.engine.variant!r} would run",
            )
        # A name of its own: another variant of the serving bundle has the same spec, and its tensors must not mix.
        model.spec = msgspec.structs.replace(model.spec, version=f"{model.spec.version} on trial")
        return model, fitting

    def _tell(self) -> None:
        self._service.twin.report_whole("tryout_state", msgspec.to_builtins(self._state))
