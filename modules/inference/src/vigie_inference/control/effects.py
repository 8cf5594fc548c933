"""What the control plane wants done. Those that say so answer with one event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vigie.runtimes import Candidate
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.control.state import Wish


@dataclass(frozen=True, slots=True)
class LookAt:
    """What this machine has for the wish, and what is known of it. Answers ``LookedAt``."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class MeasureAll:
    """Answers ``AllMeasured``."""

    wish: Wish
    candidates: tuple[Candidate, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """Beside what serves, and let it serve then. ``known``: what was measured of it. Answers ``EngineOpened``."""

    wish: Wish
    candidate: Candidate
    known: Measured | None


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Measure one process of a candidate that failed before. Answers ``TriedAgain``."""

    wish: Wish
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Prepare:
    """Measure what somebody asked for that does not serve yet, if anybody did. Answers ``Prepared``."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Answers ``Reconsider``, when what goes before it is done."""


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """The candidate's breaker opens."""

    candidate: Candidate
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Forgive:
    """The candidate's past is forgotten."""

    key: str


@dataclass(frozen=True, slots=True)
class Survived:
    """What was dangerous has gone well."""


@dataclass(frozen=True, slots=True)
class ForgetMeasurements:
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CheckAnswers:
    """By the canary, if that is due."""

    minutes: float


@dataclass(frozen=True, slots=True)
class TellReady:
    """``why``: the module is not ready; empty: nothing speaks against it."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class TellNothing:
    """No model, no runtime."""


@dataclass(frozen=True, slots=True)
class TellMeasuring:
    """It begins."""


@dataclass(frozen=True, slots=True)
class TellTrouble:
    """What serves and whose breakers are open."""


@dataclass(frozen=True, slots=True)
class TellServing:
    """What serves is what was chosen."""


@dataclass(frozen=True, slots=True)
class TellDecision:
    """The whole of it."""


@dataclass(frozen=True, slots=True)
class Log:
    event: str
    fields: dict[str, Any] = field(default_factory=dict)


Effect = (
    LookAt
    | MeasureAll
    | OpenEngine
    | TryAgain
    | Prepare
    | Decide
    | WriteFailure
    | Forgive
    | Survived
    | ForgetMeasurements
    | CheckAnswers
    | TellReady
    | TellNothing
    | TellMeasuring
    | TellTrouble
    | TellServing
    | TellDecision
    | Log
)
