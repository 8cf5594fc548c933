"""One camera's objects over time: the first days are the base, the last hours are compared with it. Pure.

Times are seconds for which the model has served, so that an outage is neither part of the base nor of the window.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from vigie_inference.drift.stability import (
    SCORE_BINS,
    binned_classes,
    binned_scores,
    by_chance,
    index,
    score_bin,
)

What = Literal["scores", "classes"]
WHATS: tuple[What, ...] = ("scores", "classes")
# With fewer objects even a large index is nothing but chance.
OBJECTS_MIN = 200
SLOTS = 24
# Of a false alarm in one look, a look being a slot: less than one in a thousand years of a camera.
CHANCE = 1e-7
# A look that differs may be one odd hour; so many in a row are not.
LOOKS_TO_ALARM = 2
_CALM_SHARE = 0.8


class Counts(msgspec.Struct):
    """Objects by score and by class. ``scores``: bins of equal width between 0 and 1."""

    scores: list[float] = msgspec.field(default_factory=lambda: [0.0] * SCORE_BINS)
    classes: dict[str, float] = {}

    @property
    def objects(self) -> float:
        return sum(self.scores)

    def add(self, label: str, score: float) -> None:
        self.scores[score_bin(score)] += 1
        self.classes[label] = self.classes.get(label, 0.0) + 1

    def merge(self, other: Counts) -> None:
        self.scores = [one + two for one, two in zip(self.scores, other.scores, strict=True)]
        for label, count in other.classes.items():
            self.classes[label] = self.classes.get(label, 0.0) + count


class Stability(msgspec.Struct, frozen=True):
    """Of one distribution: its index against the base, and what it has to exceed to be told as drift."""

    psi: float
    limit: float


class DriftChange(msgspec.Struct, frozen=True):
    """Drift that begins or ends."""

    what: What
    begins: bool
    stability: Stability


class CameraDrift(msgspec.Struct):
    """``base_s``, ``slot_s``: seconds in the base and in the slot under way. ``slots``: the last ones, oldest first.

    ``found``: of the last look. ``away``: looks in a row that exceeded the limit. ``told``: drift that goes on.
    """

    base: Counts = msgspec.field(default_factory=Counts)
    base_s: float = 0.0
    learned: bool = False
    slots: list[Counts] = []
    under_way: Counts = msgspec.field(default_factory=Counts)
    slot_s: float = 0.0
    found: dict[What, Stability] = {}
    away: dict[What, int] = {}
    told: list[What] = []

    def saw(self, label: str, score: float) -> None:
        (self.under_way if self.learned else self.base).add(label, score)

    def passed(self, seconds: float, *, base_s: float, window_s: float, psi_max: float) -> list[DriftChange]:
        """``seconds`` more have been served. Args: psi_max: least index that counts as drift, chance apart."""
        if not self.learned:
            self.base_s += seconds
            self.learned = self.base_s >= base_s and self.base.objects >= OBJECTS_MIN
            return []
        self.slot_s += seconds
        if self.slot_s < window_s / SLOTS:
            return []
        self.slots = [*self.slots[-(SLOTS - 1) :], self.under_way]
        self.under_way, self.slot_s = Counts(), 0.0
        return self._look(psi_max) if len(self.slots) == SLOTS else []

    def window(self) -> Counts:
        """What the last slots hold together."""
        whole = Counts()
        for slot in self.slots:
            whole.merge(slot)
        return whole

    def _look(self, psi_max: float) -> list[DriftChange]:
        now = self.window()
        if now.objects < OBJECTS_MIN:
            return []
        self.found = {what: stability(what, self.base, now, psi_max) for what in WHATS}
        changes = []
        for what, found in self.found.items():
            self.away[what] = self.away.get(what, 0) + 1 if found.psi > found.limit else 0
            if what not in self.told and self.away[what] >= LOOKS_TO_ALARM:
                self.told.append(what)
                changes.append(DriftChange(what, True, found))
            elif what in self.told and found.psi < _CALM_SHARE * found.limit:
                self.told.remove(what)
                changes.append(DriftChange(what, False, found))
        return changes


def stability(what: What, base: Counts, now: Counts, psi_max: float) -> Stability:
    """The index of one distribution, and the larger of ``psi_max`` and what chance explains."""
    if what == "scores":
        before, after = binned_scores(base.scores, now.scores)
    else:
        before, after = binned_classes(base.classes, now.classes)
    limit = max(psi_max, by_chance(len(before), sum(before), sum(after), chance=CHANCE))
    return Stability(round(index(before, after), 4), round(limit, 4))
