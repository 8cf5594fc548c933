"""Over a release on probation: frames without an answer, and the model before it on a share of the frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from vigie.errors import VigieError
from vigie.log import get_logger
from vigie.plurals import counted
from vigie_inference.announce import Announcer
from vigie_inference.load import Load
from vigie_inference.serving import Filter, ServingModel
from vigie_inference.update.agreement import judge, turned
from vigie_inference.update.record import Probation
from vigie_inference.update.release import Rollout
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.trial import Trial, TrialRun

log = get_logger("inference")


@dataclass(frozen=True, slots=True)
class NotCompared:
    """There is nothing to compare the release with; ``why``, for people."""

    why: str


# Opens the model that served before.
OpenFormer = Callable[[], tuple[ServingModel, Filter] | NotCompared]


@dataclass(frozen=True, slots=True)
class ProbationResult:
    """``failure``: why the former is to serve again. ``served_s``: since the commit."""

    failure: str
    served_s: float


class Watching:
    """Used by the thread of updates, one probation after the other."""

    def __init__(self, load: Load, report: UpdateReport, *, announcer: Announcer, trial: TrialRun) -> None:
        self._load, self._report, self._announcer, self._trial = load, report, announcer, trial
        self._since_s = time.monotonic()
        self._unanswered, self._stood_in = load.unanswered, load.stood_in
        self._beside: Trial | None = None
        self._begun = False

    def begin(self) -> None:
        """A release serves from now on, or goes on being watched after a restart."""
        self.end()
        self._since_s = time.monotonic()
        self._unanswered, self._stood_in = self._load.unanswered, self._load.stood_in
        self._begun = False

    def end(self) -> None:
        if self._beside is not None:
            self._trial.end(self._beside)
            self._beside = None
            self._announcer.model_changed()

    def look(self, probation: Probation, rollout: Rollout, open_former: OpenFormer) -> ProbationResult:
        if not self._begun:
            self._begun = True
            self._open(rollout, open_former)
        unanswered = self._load.unanswered - self._unanswered
        stood_in = self._load.stood_in - self._stood_in
        served_s = probation.served_s + time.monotonic() - self._since_s
        if unanswered + stood_in > probation.failures_max:
            also = f", and {stood_in} were answered by the engine that stood by" if stood_in else ""
            return ProbationResult(
                f"{counted(unanswered, 'frame')} went unanswered during the probation{also}; "
                f"{probation.failures_max} allowed",
                served_s,
            )
        return ProbationResult(self._compared(rollout), served_s)

    def saved(self, probation: Probation) -> Probation:
        """What goes on disk: the time until now is in it and is counted from now on."""
        now_s = time.monotonic()
        after = msgspec.structs.replace(probation, served_s=probation.served_s + now_s - self._since_s)
        self._since_s = now_s
        return after

    def _open(self, rollout: Rollout, open_former: OpenFormer) -> None:
        if not rollout.watch_share:
            self._report.update(watch="is not compared with the model before: $.rollout.watch_share is 0")
            return
        try:
            opened = open_former()
        except VigieError as error:
            log.warning("former_not_compared", reason=str(error))
            self._report.update(watch=f"is not compared with the model before, which cannot be opened: {error}")
            return
        if isinstance(opened, NotCompared):
            self._report.update(watch=f"is not compared with the model before: {opened.why}")
            return
        model, fitting = opened
        # A name of its own: tensors of the former that are still on their way are answered, these are compared.
        model.spec = msgspec.structs.replace(model.spec, version=f"{model.spec.version} before")
        every = max(1, round(1 / rollout.watch_share))
        self._beside = Trial(model, fitting, every, rollout.cpu_max, ended=model.close)
        self._trial.begin(self._beside)
        self._announcer.model_changed()
        self._report.update(watch="no frame was compared with the model before yet")

    def _compared(self, rollout: Rollout) -> str:
        """Why the former is to serve again, by what both saw; empty: nothing speaks against the release."""
        if self._beside is None:
            return ""
        if not self._trial.tries(self._beside):
            self._beside = None
            self._report.update(watch="is no longer compared with the model before: a try-out has the place")
            return ""
        tally, release_ms, former_ms, failure = self._trial.look()
        if failure:
            self.end()
            self._report.update(watch=f"is no longer compared with the model before, which fails: {failure}")
            return ""
        # The trial takes what serves for the truth; here that is the model before.
        tally = turned(tally)
        verdict = judge(rollout, tally, former_ms, release_ms, truth="the model before")
        self._report.watched(tally, former_ms, release_ms, verdict.reason)
        return f"during the probation it {verdict.reason}" if verdict.passed is False else ""
