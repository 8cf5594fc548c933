"""What the control plane wants done. Those that say so answer with one event."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
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


class Tell(Enum):
    """What operators are told: ``NOTHING``: no model, no runtime. ``MEASURING`` begins. ``TROUBLE``: what serves and
    whose breakers are open. ``SERVING``: what serves is what was chosen. ``DECISION``: the whole of it.
    """

    NOTHING = "nothing"
    MEASURING = "measuring"
    TROUBLE = "trouble"
    SERVING = "serving"
    DECISION = "decision"


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
    | Tell
    | Log
)
