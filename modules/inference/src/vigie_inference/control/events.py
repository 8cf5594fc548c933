"""What the control plane is told: wishes, failures, the passing of time, and the answers to its own effects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.decision_cache import CachedDecision
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.control.effects import Effect
from vigie_inference.control.state import Wish
from vigie_inference.serving import ServingModel


@dataclass(frozen=True, slots=True)
class WishChanged:
    """None: nothing is to serve."""

    wish: Wish | None


@dataclass(frozen=True, slots=True)
class MeasureAgain:
    """An operator wants the serving bundle measured anew; while that is under way it asks for nothing more."""


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """In service. ``model``: as in ``InForce``. ``kind``: the error's slug."""

    model: ServingModel
    candidate: Candidate
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment passed, or somebody wants attention."""


@dataclass(frozen=True, slots=True)
class Reconsider:
    """What was written down is on record: decide by it."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Answers ``LookAt``. ``decision``: what is known of all, from the disk; None: not all is."""

    wish: Wish
    here: Here
    fingerprint: str
    decision: CachedDecision | None


@dataclass(frozen=True, slots=True)
class AllMeasured:
    """Answers ``MeasureAll``. None: it was given up."""

    wish: Wish
    candidates: tuple[Candidate, ...]
    decision: CachedDecision | None


class Opening(Enum):
    """``LOST``: something else serves meanwhile, for which it was not meant."""

    SERVES = "serves"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class EngineOpened:
    """Answers ``OpenEngine``; ``reason`` and ``kind`` (a slug) where it is ``REFUSED``."""

    wish: Wish
    candidate: Candidate
    opening: Opening
    reason: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TriedAgain:
    """Answers ``TryAgain``."""

    wish: Wish
    candidate: Candidate
    found: Measured


@dataclass(frozen=True, slots=True)
class Prepared:
    """Answers ``Prepare``."""


@dataclass(frozen=True, slots=True)
class WorkBroke:
    """Whoever performed ``effect`` for ``wish`` broke down, or the rules themselves (None): what serves goes on."""

    wish: Wish | None
    effect: Effect | None


Event = (
    WishChanged
    | MeasureAgain
    | EngineFailed
    | Tick
    | Reconsider
    | LookedAt
    | AllMeasured
    | EngineOpened
    | TriedAgain
    | Prepared
    | WorkBroke
)
