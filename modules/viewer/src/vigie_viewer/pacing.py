"""When the next picture of a stream is due, in the time of the frames themselves. No clock."""

from __future__ import annotations

from dataclasses import dataclass

# A frame that comes a little before its time is taken: the next one would be a whole frame period late.
_EARLY = 0.25
_ANOTHER_CLOCK_NS = 60_000_000_000


@dataclass(slots=True)
class Pacer:
    """``due_ns``: capture time from which the next frame is taken."""

    due_ns: int = 0
    period_ns: int = 0

    def due(self, captured_ns: int, fps: float) -> bool:
        """Whether a frame of this capture time is taken at ``fps``."""
        self.period_ns = round(1e9 / fps)
        # An older frame than the one shown stays away; far older means another clock, after the host restarted.
        backwards = captured_ns < self.due_ns - self.period_ns - _ANOTHER_CLOCK_NS
        return backwards or captured_ns >= self.due_ns - _EARLY * self.period_ns

    def took(self, captured_ns: int) -> None:
        """The frame was taken. The beat is kept, unless it was lost for longer than a period."""
        in_beat = abs(captured_ns - self.due_ns) < self.period_ns
        self.due_ns = (self.due_ns if in_beat else captured_ns) + self.period_ns
