"""Brings the release that the twin asks for into service, or says why not; what serves is never touched before.

One thread: fetch, verify, warm, try beside the serving model, commit, watch over the probation. Every step may be
superseded by a newer twin; what cannot become right by waiting is refused and remembered (``record``).
"""

from __future__ import annotations

import threading
from functools import partial

import msgspec

from vigie.errors import ConfigRefusedError, MethodRefusedError, VigieError
from vigie.log import get_logger
from vigie.runtimes.measuring.footprint import memory_left_mb
from vigie.secrets import SecretStore
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.load import Load
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.serving import Filter, ServingModel
from vigie_inference.telling import Telling
from vigie_inference.update.base import Base
from vigie_inference.update.bringing import Bringing, Errand
from vigie_inference.update.download_rules import DownloadRules
from vigie_inference.update.fetching import Fetching
from vigie_inference.update.in_turns import exchange, why_in_turns
from vigie_inference.update.on_record import OnRecord
from vigie_inference.update.record import (
    Probation,
    StoredBundle,
    committed,
    ending_of,
    on_the_device,
    passed,
    refused,
    rolled_back,
)
from vigie_inference.update.release_store import ReleaseStore
from vigie_inference.update.report import UpdateReport, UpdateState
from vigie_inference.update.same_version import why_another
from vigie_inference.update.trial import TrialRun
from vigie_inference.update.watching import NotCompared, Watching
from vigie_inference.update.wish import RefusedError, SupersededError, UpdateRequest, request_of

log = get_logger("inference")

LOOK_S = 0.5
RETRY_S = 2.0
# Above the longest step that tells nothing: opening an engine that compiles itself.
STALLED_AFTER_S = 600.0
_SAVE_PROBATION_S = 60.0


class Updates:
    """``check``, ``committed``, ``configured``: by who applies the twin; methods: any thread; ``run``: its own."""

    def __init__(
        self,
        service: SeatService,
        models: ModelsInService,
        put: PutInService,
        *,
        control: RuntimeControl,
        load: Load,
        announcer: Announcer,
        trial: TrialRun,
        telling: Telling,
        base: Base,
    ) -> None:
        """``base``: what serves here where no release does."""
        self._service, self._models, self._put, self._control = service, models, put, control
        self._base = base
        self._store = ReleaseStore(service.env.state / "models", service.env.models)
        self.report = UpdateReport(service, telling)
        self._record = OnRecord(self._store, self.report)
        self._fetching = Fetching(self._store, self.report, SecretStore(service.env.secrets), self._rules)
        self._bringing = Bringing(put, control, self.report, announcer=announcer, trial=trial)
        self._watching = Watching(load, self.report, announcer=announcer, trial=trial)
        self._alive = service.health.watch("inference.update", STALLED_AFTER_S)
        self._wake = threading.Event()
        self._config: InferenceConfig | None = None
        self._promoted = ""
        self._taken_back = False

    # By who applies the twin, with the lock of ``PutInService`` held.

    def committed(self, config: InferenceConfig) -> ModelConfig | None:
        """The bundle of the last committed release; None: none was asked for, or none was committed yet."""
        while request_of(config) is not None and (held := self._record.now.serving) is not None:
            wanted = self._model_config(held, config)
            if wanted == self._put.served:
                return wanted
            try:
                self._store.load(held)
            except VigieError as error:
                log.warning("committed_model_damaged", model=held.name, version=held.version, reason=str(error))
                reason = f"its files are damaged: {error}"
                self._record.change(partial(rolled_back, reason=reason))
                continue
            return wanted
        return None

    def configured(self, config: InferenceConfig) -> None:
        """``config`` is in force."""
        self._config = config
        self._wake.set()

    def _rules(self) -> DownloadRules:
        return DownloadRules() if self._config is None else self._config.downloads

    # Methods.

    def promote(self) -> UpdateState:
        """Commit what is on trial or waits. Raises: MethodRefusedError: nothing does."""
        if self.report.state.phase not in {"shadowing", "waiting"}:
            raise MethodRefusedError(409, "no model is on trial or waits for promotion")
        wanted = None if self._config is None else request_of(self._config)
        self._promoted = "" if wanted is None else wanted.key
        self._wake.set()
        return self.report.state

    def take_back(self) -> UpdateState:
        """Let the former model serve again. Raises: MethodRefusedError: no release serves."""
        if self._record.now.serving is None or self._config is None or request_of(self._config) is None:
            raise MethodRefusedError(409, f"no release serves; {self._base.in_words} does")
        self._taken_back = True
        self._wake.set()
        return self.report.state

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._alive.beat()
            self._wake.wait(LOOK_S)
            self._wake.clear()
            if self._config is None:
                continue
            wanted = request_of(self._config)
            try:
                self._attend_or_refuse(wanted, stop)
            except SupersededError:
                self._promoted = ""
            except OSError as error:
                log.warning("update_not_recorded", folder=str(self._store.root), reason=str(error))
                self.report.update(reason=f"{self._store.root} cannot be written: {error.strerror or error}")
                stop.wait(RETRY_S)
        self._watching.end()

    # The thread of updates.

    def _attend_or_refuse(self, wanted: UpdateRequest | None, stop: threading.Event) -> None:
        """Raises: SupersededError; OSError: the record cannot be written."""
        try:
            self._attend(wanted, stop)
        except RefusedError as error:
            if wanted is not None:
                reason, version = str(error), wanted.release.version
                self._record.change(lambda record: refused(record, wanted.key, version, reason))
                self._record.tidy()

    def _attend(self, wanted: UpdateRequest | None, stop: threading.Event) -> None:
        if self._taken_back:
            self._taken_back = False
            self._roll_back("taken back by method rollback_model")
        if wanted is None:
            if self.report.state.phase != "idle":
                self.report.moved("idle", name="", version="", sha256="", rollout="", reason="", trial=None)
            return
        serving, ended = self._record.now.serving, ending_of(self._record.now, wanted.key)
        if ended is None and serving is not None and _same(serving, wanted):
            self._serves(wanted, serving)
        elif ended is None:
            self._bring(wanted, stop)
        else:
            told = self.report.state
            if (told.phase, told.reason, told.rollout) != (ended.phase, ended.reason, wanted.release.rollout.id):
                self.report.of(ended.phase, wanted, ended.reason)

    def _serves(self, wanted: UpdateRequest, serving: StoredBundle) -> None:
        """What was asked for serves already: the same files under another request, or on probation."""
        if serving.key != wanted.key:
            same = msgspec.structs.replace(serving, key=wanted.key)
            self._record.change(
                lambda record: msgspec.structs.replace(record, serving=same) if record.serving == serving else record
            )
        probation = self._record.now.probation
        phase = "committed" if probation is None else "probation"
        if self.report.state.phase != phase or self.report.state.rollout != wanted.release.rollout.id:
            self.report.of(phase, wanted, "")
        if probation is not None:
            self._watch(probation, wanted)

    def _watch(self, probation: Probation, wanted: UpdateRequest) -> None:
        watched = self._watching.look(probation, wanted.release.rollout, self._open_former)
        if watched.failure:
            self._roll_back(watched.failure)
        elif watched.served_s >= probation.lasts_s:
            self._watching.end()
            self._record.change(passed)
            self.report.of("committed", wanted, "")
        elif watched.served_s - probation.served_s >= _SAVE_PROBATION_S:
            saved = self._watching.saved(probation)
            self._record.change(
                lambda record: msgspec.structs.replace(record, probation=saved) if record.probation else record
            )

    def _open_former(self) -> tuple[ServingModel, Filter] | NotCompared:
        """What a roll-back would go to, open; or why it is not to be. Raises: VigieError."""
        config = self._in_force()
        wanted = self._goes_back_to(self._record.now.former, config)
        if wanted is None:
            return NotCompared("this device holds no former release")
        loaded = self._put.read(wanted)
        asked = request_of(config)
        if asked is not None and (why := why_in_turns(asked.release.rollout, loaded.bundle, memory_left_mb())):
            return NotCompared(f"two do not fit: {why}")
        fitting = Filter(config, loaded)
        return self._put.open(loaded, config), fitting

    def _bring(self, wanted: UpdateRequest, stop: threading.Event) -> None:
        def go_on() -> None:
            self._alive.beat()
            current = None if self._config is None else request_of(self._config)
            if stop.is_set() or current != wanted:
                raise SupersededError

        errand = Errand(wanted, go_on, self._moment, self._in_force, lambda: self._promoted == wanted.key)
        known = on_the_device(self._record.now, wanted.name, wanted.release.sha256)
        if known is None:
            self._record.make_room(2 * wanted.release.size, self._rules().disk_bytes)
        held = known or self._fetching.held(wanted, go_on)
        self._watching.end()
        if why := self._why_in_turns(held, wanted):
            if self._models.serving is not None:
                self._exchange(held, wanted, why)
                return
            if self._base.may_be_empty and wanted.release.rollout.trial != "in_turns":
                raise RefusedError(f"does not fit beside the models that serve: {why}")
        tried, immediate = self._is_compared(), wanted.release.rollout.commit == "immediate"
        # Where nothing serves yet, an immediate commit puts no answer at risk: it need not wait for the measuring.
        model, fitting = self._bringing.open(
            lambda: self._store.load(held),
            self._model_config(held, self._in_force()),
            errand,
            measured=tried or not immediate,
        )
        try:
            if known is None and not immediate and tried:
                self._bringing.try_out(model, fitting, errand)
                self._promoted = ""
            self._bringing.end_trial()
            self._commit(model, held, wanted)
        except BaseException:
            self._bringing.end_trial()
            model.close()
            raise

    def _is_compared(self) -> bool:
        """Whether something serves whose answers a release on trial can be compared with."""
        return self._models.serving is not None or self._base.compared()

    def _why_in_turns(self, held: StoredBundle, wanted: UpdateRequest) -> str:
        """Empty: both may be open at a time. Raises: RefusedError: it is damaged, or another one of its version."""
        try:
            bundle = self._store.load(held)
        except VigieError as error:
            raise RefusedError(str(error)) from error
        serving = self._models.serving
        if another := why_another(bundle, held, self._record.now, None if serving is None else serving.bundle):
            raise RefusedError(another)
        return why_in_turns(wanted.release.rollout, bundle, memory_left_mb())

    def _exchange(self, held: StoredBundle, wanted: UpdateRequest, why: str) -> None:
        """Commit ``held`` without two models in memory. Raises: RefusedError; SupersededError."""
        rollout = wanted.release.rollout
        self.report.of("warming", wanted, f"in turns with what serves: {why}; judged on its reference frames only")
        self._bringing.end_trial()
        with self._put.lock:
            config = self._in_force()
            if request_of(config) != wanted:
                raise SupersededError
            before = self._record.now
            probation = Probation(rollout.probation_s, rollout.failures_max) if rollout.probation_s else None
            try:
                done = exchange(
                    self._models, self._put, self._control, self._put.read(self._model_config(held, config)),
                    config=config, rollout=rollout,
                    before_it_serves=lambda: self._record.set(committed(before, held, probation, self._rules().keep)),
                )  # fmt: skip
            except VigieError as error:
                self._record.set(before)
                raise RefusedError(str(error)) from error
            except BaseException:
                self._record.set(before)
                raise
        self._watching.begin()
        reason = f"{done.found}; in turns, because {why}: nothing answered for {done.gap_s:.1f} s"
        self.report.of("committed" if probation is None else "probation", wanted, reason)
        self._record.tidy()

    def _moment(self) -> None:
        self._wake.wait(LOOK_S)
        self._wake.clear()

    def _in_force(self) -> InferenceConfig:
        """Raises: SupersededError: there is none yet."""
        if self._config is None:
            raise SupersededError
        return self._config

    def _commit(self, model: ServingModel, held: StoredBundle, wanted: UpdateRequest) -> None:
        """Serve ``model``, and after a restart too. Raises: RefusedError; SupersededError."""
        rollout = wanted.release.rollout
        with self._put.lock:
            config = self._config
            if config is None or request_of(config) != wanted:
                raise SupersededError
            before = self._record.now
            probation = Probation(rollout.probation_s, rollout.failures_max) if rollout.probation_s else None
            self._watching.begin()
            self._record.set(committed(before, held, probation, self._rules().keep))
            try:
                self._put.place(model, config)
            except ConfigRefusedError as error:
                self._record.set(before)
                raise RefusedError(str(error)) from error
            except BaseException:
                self._record.set(before)  # the next start must not serve what never did
                raise
        self.report.of("committed" if probation is None else "probation", wanted, "")
        self._record.tidy()

    def _roll_back(self, reason: str) -> None:
        with self._put.lock:
            config = self._config
            if config is None:
                return
            blamed = self._record.now.serving
            after = rolled_back(self._record.now, reason)
            wanted = self._goes_back_to(after.serving, config)
            if wanted is None and self._base.may_be_empty:
                self._put.nothing(config, reason)
                self._watching.end()
                self._record.set(after)
                return
            if wanted is None:
                log.warning("model_not_rolled_back", reason="there is no model that could serve instead")
                return
            try:
                self._put.load(wanted, config)
            except ConfigRefusedError as error:
                log.warning("model_not_rolled_back", reason=str(error))
                return
            self._watching.end()
            self._record.set(after)
        log.warning("model_rolled_back", model="" if blamed is None else blamed.name, reason=reason)

    def _goes_back_to(self, held: StoredBundle | None, config: InferenceConfig) -> ModelConfig | None:
        """``held``, or where no release served, the model of desired property ``model``."""
        if held is None:
            return self._base.model(config)
        return self._model_config(held, config)

    def _model_config(self, held: StoredBundle, config: InferenceConfig) -> ModelConfig:
        variant = None if config.model is None else config.model.variant
        return ModelConfig(path=str(self._store.folder(held)), variant=variant)


def _same(held: StoredBundle, wanted: UpdateRequest) -> bool:
    return (held.name, held.sha256) == (wanted.name, wanted.release.sha256)
