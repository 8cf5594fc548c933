"""What the control plane knows between two events, and what it sees at the moment of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.breaker import Trouble
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.choose import Choice
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.config import InferenceConfig
from vigie_inference.control.candidates import allowed_of
from vigie_inference.serving import LoadedBundle, ServingModel

# Nobody has looked yet, for this wish.
NOWHERE = Here(())


@dataclass(frozen=True, eq=False, slots=True)
class Wish:
    """What the accepted configuration asks for; a new one supersedes the work on the former, be it equal or not."""

    loaded: LoadedBundle
    config: InferenceConfig
    objective: Objective

    @property
    def measures(self) -> bool:
        """Whether candidates that nobody knows are measured."""
        return self.config.runtime.measure == "auto"

    def allowed(self, here: Here) -> list[Candidate]:
        return allowed_of(here, self.objective)


@dataclass(frozen=True, slots=True)
class InForce:
    """What answers frames. ``model``, ``loaded``: which; the rules compare them and look no further."""

    model: ServingModel
    loaded: LoadedBundle
    candidate: Candidate
    isolated: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What the shell sees when an event comes: the clocks and what other threads or the disk may have changed.

    ``now_s`` since the epoch, as breakers count; ``monotonic_s`` for how long something has served. ``hung``: the
    serving bundle has hung in this process before. ``troubles``: of the breaker, by candidate.
    """

    now_s: float
    monotonic_s: float
    in_force: InForce | None = None
    queueing: bool = True
    saving: bool = False
    hung: bool = False
    troubles: Mapping[str, Trouble] = field(default_factory=dict)

    def is_open(self, key: str) -> bool:
        trouble = self.troubles.get(key)
        return trouble is not None and self.now_s < trouble.retry_at_s


class Work(StrEnum):
    """What is being done for the control plane; its answer is an event. One at a time.

    While something is looked at, measured or opened for the wish, a failure is only written down; the decision that
    follows knows of it.
    """

    NOTHING = "nothing"
    LOOKING = "looking"
    MEASURING = "measuring"
    OPENING = "opening"


@dataclass(frozen=True, slots=True)
class ControlState:
    """``settled``: nothing is left to do for ``wish``.

    ``choice``, ``order``: the last decision, and all that may serve by it, best first; ``left`` of them is not tried
    yet. ``blamed``: the model whose engine failed in service and may not serve again. ``aside``: a candidate is tried
    again, or a bundle measured that does not serve yet: no other work begins for the wish, but where the serving engine
    fails meanwhile another takes over at once.
    """

    wish: Wish | None = None
    settled: bool = True
    work: Work = Work.NOTHING
    aside: bool = False
    here: Here = NOWHERE
    fingerprint: str = ""
    known: Mapping[str, Measured] = field(default_factory=dict)
    measured_at: str = ""
    cached: bool = False
    choice: Choice = field(default_factory=lambda: Choice((), (), ()))
    queueing: bool = True
    saving: bool = False
    order: tuple[Candidate, ...] = ()
    left: tuple[Candidate, ...] = ()
    last_resort: bool = False
    degraded: bool = False
    blamed: ServingModel | None = None
    since_s: float = 0.0
    on_probation: bool = False

    def sound(self, sight: Sight) -> InForce | None:
        """What answers frames and has not failed."""
        in_force = sight.in_force
        return None if in_force is None or in_force.model is self.blamed else in_force
