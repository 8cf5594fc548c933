"""Which candidates may serve, which are to be measured, and what they are ranked by under this load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from vigie.runtimes import Candidate
from vigie.runtimes.choosing.candidates_here import Here
from vigie.runtimes.choosing.objective import Objective
from vigie.runtimes.engines.opening import is_safe
from vigie.runtimes.measuring.measurement import Measured
from vigie_inference.config import InferenceConfig


def allowed_of(here: Here, objective: Objective) -> list[Candidate]:
    """The candidates of this machine that the objective lets serve."""
    return [one for one in here.candidates if objective.require.all_of(one) and not objective.forbid.any_of(one)]


def always_isolated(config: InferenceConfig) -> bool:
    """Whether the twin asks for a process of its own for every engine."""
    return config.runtime.isolate == "always"


def isolates(candidate: Candidate, *, always: bool, hung: bool) -> bool:
    """Whether ``candidate`` runs in a process of its own. ``hung``: its bundle did not end a run in this one before."""
    return not is_safe(candidate) or always or hung


def to_measure(
    allowed: Sequence[Candidate], known: Mapping[str, Measured], is_open: Callable[[str], bool], *, measure: bool
) -> list[Candidate]:
    """All that may serve if one of them is unknown, so that all are measured in the same rounds; or nothing."""
    wanted = [one for one in allowed if not is_open(one.key)]
    unknown = [one for one in wanted if one.key not in known]
    nothing_to_compare = len(wanted) == 1 and is_safe(wanted[0])
    return wanted if unknown and measure and not nothing_to_compare else []


def for_load(objective: Objective, *, queueing: bool, saving: bool = False) -> Objective:
    """What ``auto`` comes to under this load: the most frames while they queue, else the least delay of one.

    ``saving``: whatever was asked, the least energy.
    """
    if saving:
        return msgspec.structs.replace(objective, kind="energy")
    if objective.kind != "auto":
        return objective
    return msgspec.structs.replace(objective, kind="throughput" if queueing else "latency")


def may_save(known: Sequence[Measured], in_force: Candidate | None) -> bool:
    """Whether the least energy can be told: by a meter, or by CPU time if that is where the engine in force spends it.

    Without a meter, CPU time says nothing of another device: leaving a GPU for the CPU would heat the machine.
    """
    metered = bool(known) and all(trial.joules is not None for one in known for trial in one.trials)
    return metered or (in_force is not None and in_force.device == "CPU")
