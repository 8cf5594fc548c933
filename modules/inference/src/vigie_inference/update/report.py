"""Where an operator follows an update: the twin's ``update_state``, the metrics, the log."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from vigie.log import get_logger
from vigie_inference.seats.seat_service import SeatService
from vigie_inference.telling import Telling
from vigie_inference.update.agreement import TrialTally
from vigie_inference.update.record import Record, StoredBundle
from vigie_inference.update.wish import UpdateRequest

log = get_logger("inference")

Phase = Literal[
    "idle",
    "downloading",
    "verifying",
    "selecting",
    "warming",
    "shadowing",
    "waiting",
    "probation",
    "committed",
    "rejected",
    "rolled_back",
]


class ReleaseState(msgspec.Struct, frozen=True):
    """A release on the device. ``sha256``: of its archive."""

    name: str
    version: str
    sha256: str


class TrialState(msgspec.Struct, frozen=True):
    """What both models saw in the frames of the trial; ``agreement``: F1, 0..1; ``*_ms``: medians of one run.

    ``score_drift``: how much surer the other model is of what both see, on average, -1..1.
    """

    frames: int
    matched: int
    flipped: int
    missing: int
    new: int
    agreement: float | None
    run_ms: float | None
    serving_run_ms: float | None
    score_drift: float | None = None
    examples: tuple[str, ...] = ()


def trial_state(tally: TrialTally, serving_ms: float | None, new_ms: float | None) -> TrialState:
    """``serving_ms``, ``new_ms``: medians of one run."""
    agreement = tally.agreement
    return TrialState(
        frames=tally.frames,
        matched=tally.matched,
        flipped=tally.flipped,
        missing=tally.missing,
        new=tally.new,
        agreement=None if agreement is None else round(agreement, 4),
        run_ms=None if new_ms is None else round(new_ms, 2),
        serving_run_ms=None if serving_ms is None else round(serving_ms, 2),
        score_drift=None if tally.score_drift is None else round(tally.score_drift, 4),
        examples=tuple(tally.examples),
    )


class UpdateState(msgspec.Struct, frozen=True, omit_defaults=True):
    """``serving`` and ``former`` are absent where the model of desired property ``model`` serves, or did."""

    phase: Phase = "idle"
    name: str = ""
    version: str = ""
    sha256: str = ""
    rollout: str = ""
    reason: str = ""
    since: str = ""
    progress: Annotated[float | None, Meta(description="Of the download or the measuring, 0..1.")] = None
    trial: TrialState | None = None
    watch: Annotated[str, Meta(description="How the release on probation compares with the model before.")] = ""
    watched: Annotated[
        TrialState | None,
        Meta(description="The same in figures: `serving_run_ms` is that of the model before, `run_ms` the release's."),
    ] = None
    serving: ReleaseState | None = None
    former: ReleaseState | None = None


class UpdateReport:
    """Told from the thread of updates, and by who applies the twin; tells only what has changed."""

    def __init__(self, service: SeatService, telling: Telling) -> None:
        self._service, self._telling = service, telling
        # Held while something is told too: what is told last must be what is so.
        self._lock = threading.RLock()
        self._state = UpdateState()
        self._told: UpdateState | None = None
        self._phase = service.metrics.gauge(
            "vigie_model_update_info", "The model update in hand: always 1.", ("phase", "name", "version")
        )
        self._agreement = service.metrics.gauge(
            "vigie_model_trial_agreement_ratio", "Agreement of the model on trial with the serving one (F1)."
        )
        self._endings = service.metrics.counter("vigie_model_updates", "Model updates by how they ended.", ("phase",))

    @property
    def state(self) -> UpdateState:
        return self._state

    def moved(self, phase: Phase, **changes: Any) -> None:
        """A new phase, with fields of ``UpdateState`` that change with it."""
        self.update(phase=phase, since=datetime.now(UTC).isoformat(timespec="seconds"), progress=None, **changes)
        state = self._state
        if phase in {"committed", "rejected", "rolled_back", "probation"}:
            self._endings.labels(phase).inc()
        log.info("model_update", phase=phase, model=state.name, version=state.version, reason=state.reason)

    def of(self, phase: str, wanted: UpdateRequest, reason: str) -> None:
        """``wanted`` is in ``phase`` now."""
        release, before = wanted.release, self._state.phase
        ended = {"probation", "committed", "rejected", "rolled_back"}
        kept = {} if phase in {"waiting", *ended} else {"trial": None, "watch": "", "watched": None}
        self.moved(
            phase,  # type: ignore[arg-type]  # the record keeps it as text
            name=wanted.name,
            version=release.version,
            sha256=release.sha256,
            rollout=release.rollout.id,
            reason=reason,
            **kept,
        )
        # After a start the twin is told again what is committed, which it knows already.
        if not (before == "idle" and phase == "committed"):
            self._telling.update(
                wanted.key, phase, model=wanted.name, version=release.version, rollout=release.rollout.id, reason=reason
            )

    def update(self, **changes: Any) -> None:
        with self._lock:
            self._state = msgspec.structs.replace(self._state, **changes)
            state = self._state
            if state == self._told:
                return
            self._told = state
            self._phase.clear()
            if state.phase != "idle":
                self._phase.labels(state.phase, state.name, state.version).set(1)
            told = msgspec.to_builtins(state) if state != UpdateState() else None
            self._service.twin.report_whole("update_state", told)

    def tried(self, tally: TrialTally, serving_ms: float | None, new_ms: float | None, reason: str) -> None:
        agreement = tally.agreement
        if agreement is not None:
            self._agreement.set(agreement)
        self.update(
            reason=reason,
            trial=trial_state(tally, serving_ms, new_ms),
        )

    def watched(self, tally: TrialTally, former_ms: float | None, release_ms: float | None, reason: str) -> None:
        """``former_ms``, ``release_ms``: medians of one run, of the model before and of what serves."""
        self.update(watch=reason, watched=trial_state(tally, former_ms, release_ms))

    def stands(self, record: Record) -> None:
        """What serves and what did, by the record."""
        self.update(serving=_shown(record.serving), former=_shown(record.former))


def _shown(held: StoredBundle | None) -> ReleaseState | None:
    return None if held is None else ReleaseState(held.name, held.version, held.sha256)
