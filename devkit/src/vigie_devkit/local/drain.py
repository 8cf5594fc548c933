"""When is a run that captures no more finished: everything captured is accounted for, or nothing moves any longer."""

from __future__ import annotations

from dataclasses import dataclass

from vigie_devkit.local import summary
from vigie_devkit.local.metrics import MetricTotals

# Two looks in a row: a message may be between two modules' counters at the moment of one.
STABLE_LOOKS = 2
# A busy machine may stand still for some seconds, and giving up is an error.
NO_PROGRESS_S = 20.0
# A camera that was told to stop captures a frame or two more; one that goes on was not reached.
CAPTURE_ENDS_WITHIN_S = 15.0


@dataclass(frozen=True)
class Position:
    """How far everything is; compared to see whether anything moved."""

    captured: int
    accounted: int
    committed: int
    upstream: int
    backlog: int

    @classmethod
    def of(cls, tally: MetricTotals) -> Position:
        lost = sum(summary.dropped(tally).values())
        return cls(
            captured=summary.captured(tally),
            accounted=summary.inferred(tally) + lost,
            committed=summary.committed(tally),
            upstream=summary.upstream(tally),
            backlog=summary.backlog(tally),
        )

    @property
    def complete(self) -> bool:
        """Nothing is on its way: captured = inferred + dropped, and sync has sent all that it committed."""
        return self.accounted >= self.captured and self.backlog == 0


class Drain:
    """Watches the way to the end. Pure: it is told the time. ``gave_up`` is the reason if the end came without all."""

    def __init__(self, no_progress_s: float = NO_PROGRESS_S) -> None:
        self._no_progress_s = no_progress_s
        self._last: Position | None = None
        self._moved_at = 0.0
        self._looks = 0
        self._begun_at: float | None = None
        self._still_captured_at = 0.0
        self.gave_up: str | None = None

    def finished(self, tally: MetricTotals, now: float, *, all_running: bool) -> bool:
        """True once complete and stable, once nothing has moved for a while, or when capturing does not end.

        Args: now: seconds of a monotonic clock; all_running: False while a module restarts, which is no lack of
        progress of its own.
        """
        position = Position.of(tally)
        if self._begun_at is None:
            self._begun_at = now
        if self._last is None or position.captured != self._last.captured:
            self._still_captured_at = now
        if self._still_captured_at - self._begun_at >= CAPTURE_ENDS_WITHIN_S:
            self.gave_up = "a camera goes on capturing although it was told to stop"
            return True
        if position != self._last or not all_running:
            self._last, self._moved_at, self._looks = position, now, 0
            return False
        self._looks += 1
        if position.complete:
            return self._looks >= STABLE_LOOKS
        if now - self._moved_at < self._no_progress_s:
            return False
        self.gave_up = "nothing moved any longer"
        return True
