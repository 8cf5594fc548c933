"""From a verified bundle to a model that is open, measured and tried, and may be committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vigie.errors import VigieError
from vigie.models import Bundle
from vigie.runtimes import Candidate
from vigie.runtimes.engines.finite import require_finite
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.reference_frames import reference_frames
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.preparing import Preparation
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.serving import Filter, LoadedBundle, ServingModel
from vigie_inference.update.agreement import judge
from vigie_inference.update.release import Rollout
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.trial import Trial, TrialRun
from vigie_inference.update.wish import RefusedError, UpdateRequest

_WARM_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Errand:
    """A request under way. ``go_on``: raises to end it. ``wait``: a moment, shorter if something happens meanwhile.

    ``config``: the one in force. ``promoted``: whether the operator has promoted this very request.
    """

    wanted: UpdateRequest
    go_on: Callable[[], None]
    wait: Callable[[], None]
    config: Callable[[], InferenceConfig]
    promoted: Callable[[], bool]


class Bringing:
    """Used by the thread of updates."""

    def __init__(
        self,
        put: PutInService,
        control: RuntimeControl,
        report: UpdateReport,
        *,
        announcer: Announcer,
        trial: TrialRun,
    ) -> None:
        self._put, self._control, self._report = put, control, report
        self._announcer, self._trial = announcer, trial

    def open(
        self, load: Callable[[], Bundle], wanted_model: ModelConfig, errand: Errand, *, measured: bool
    ) -> tuple[ServingModel, Filter]:
        """Measured, open beside what serves, and answering with numbers.

        Args: load: reads the bundle once more, by its digest. measured: False: by the engine that answers first, as at
        every start, and measured while it serves. Raises: RefusedError; what ``go_on`` raises.
        """
        try:
            load()
            loaded = self._put.read(wanted_model)
            fitting = Filter(errand.config(), loaded)
            candidate = self._select(loaded, errand) if measured else None
            self._report.of("warming", errand.wanted, "")
            model = self._put.open(loaded, errand.config(), candidate)
        except VigieError as error:
            raise RefusedError(str(error)) from error
        try:
            for tensor_hwc, _ in reference_frames(loaded.bundle)[:_WARM_FRAMES]:
                require_finite(model.engine, model.engine.run(tensor_hwc))
        except VigieError as error:
            model.close()
            raise RefusedError(f"does not answer its own reference frames: {error}") from error
        return model, fitting

    def _select(self, loaded: LoadedBundle, errand: Errand) -> Candidate | None:
        """The engine to commit it with; None: there is nothing to choose from, or measuring is off."""
        self._report.of("selecting", errand.wanted, "the engines that serve now are settled first")
        asked = self._control.preparing.ask(loaded, errand.config())
        try:
            while not asked.ready.is_set():
                errand.wait()
                errand.go_on()
                if (now := asked.progress) is not None:
                    self._report.update(
                        progress=round(now.done / max(1, now.total), 3), reason=f"{now.candidate} is being measured"
                    )
        finally:
            asked.given_up = True
        if not asked.known:
            return None
        chosen = asked.choice.chosen
        if chosen is None:
            why = "; ".join(
                f"{one.candidate}: {one.reason}" for one in asked.choice.rejected if one.candidate in asked.known
            )
            raise RefusedError(f"no engine of this machine may serve it: {why[:600] or asked.choice.unmet}")
        self._require_speed(asked, errand.wanted.release.rollout)
        # One in this process answers first, as at every start; the best one takes over beside it, which then stands by.
        return next((one.candidate for one in asked.choice.ranking if is_safe(one.candidate)), chosen)

    def _require_speed(self, asked: Preparation, rollout: Rollout) -> None:
        """By the objective in force, both as measured here. Raises: RefusedError."""
        best, before = asked.choice.ranking[0], self._control.serving_value(asked.objective)
        if before is None or before.unit != best.unit or best.value <= rollout.slower_max * before.value:
            return
        raise RefusedError(
            f"is slower by the objective {asked.objective.kind}: its best engine, {best.candidate.key}, takes "
            f"{best.value:g} {best.unit}, what serves {before.value:g}; at most {rollout.slower_max:g} times as much "
            "is allowed"
        )

    def try_out(self, model: ServingModel, fitting: Filter, errand: Errand) -> None:
        """Until the trial is passed or the operator has promoted it. Raises: RefusedError: it is not passed."""
        wanted, rollout = errand.wanted, errand.wanted.release.rollout
        every = max(1, round(1 / rollout.share))
        self._trial.begin(Trial(model, fitting, every, rollout.cpu_max))
        self._announcer.model_changed()
        self._report.of("shadowing", wanted, "no frame was compared yet")
        while not errand.promoted():
            errand.go_on()
            errand.wait()
            tally, serving_ms, new_ms, failure = self._trial.look()
            if failure:
                raise RefusedError(f"fails on live frames: {failure}")
            verdict = judge(rollout, tally, serving_ms, new_ms)
            self._report.tried(tally, serving_ms, new_ms, verdict.reason)
            if verdict.passed is False:
                raise RefusedError(verdict.reason)
            if verdict.passed and rollout.commit == "after":
                return
            if verdict.passed and self._report.state.phase != "waiting":
                self._report.of("waiting", wanted, f"{verdict.reason}; waits for method promote_model")

    def end_trial(self) -> None:
        self._trial.end()
        self._announcer.model_changed()
