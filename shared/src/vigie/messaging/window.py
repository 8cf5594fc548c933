"""The window of an output: messages sent and not yet *processed* by the consumer. No clock, no I/O.

The hub's acknowledgement says "stored", so it opens nothing (docs/decisions/0002-send-on-progress.md). What opens the
window is the consumer's position; a message that is never processed is given up after a time-out that follows the
consumer's own pace, so that a slow consumer is not taken for a lost message.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from vigie.messaging.pace import Pace

_PACE_FACTOR = 4.0
_PATIENCE_MAX_S = 30.0
# Items in flight: as many as the consumer works through in this time, but one in work and one at hand.
_AHEAD_S = 0.06
_AHEAD_MIN, _AHEAD_MAX = 2, 1000


@dataclass(slots=True, eq=False)
class Flight:
    """One message on its way. ``acknowledged_at`` None: the hub has not confirmed it, it will be sent again.

    ``urgent``: sent past the window, which does not know it. ``lease_of``: it is no message but the lease of this key.
    ``moved``: it went by doorbell first, then by the route. ``wakes``: its consumer was asked to tell when it is done.
    """

    sent: int
    body: bytes
    properties: Mapping[str, str]
    cameras: Counter[str]
    keep: bool
    in_window: bool = False
    urgent: bool = False
    carrier: object | None = None
    acknowledged_at: float | None = None
    sends: int = 0
    lease_of: str | None = None
    moved: bool = False
    wakes: bool = False
    items_body: bytes = b""

    @property
    def items(self) -> int:
        return self.cameras.total()


@dataclass(slots=True)
class Window:
    """At most ``messages`` in flight. Flights are in order of ``sent``."""

    messages: int
    timeout_s: float
    flights: deque[Flight] = field(default_factory=deque)
    items: int = 0
    _progress_at: float = 0.0
    _slowest_s: float = 0.0
    _pace: Pace = field(default_factory=Pace)

    @property
    def slowest_s(self) -> float:
        """The longest that the consumer took for a message of late."""
        return self._slowest_s

    def room_for_newest(self) -> int:
        """How many more items may join without making each other old: at least one.

        What is in flight can no longer be replaced by something newer. Four frames a message to a model of 30 ms
        would have each frame wait for seven others.
        """
        item_s = self._pace.item_s
        worth = _AHEAD_MAX if item_s * _AHEAD_MAX <= _AHEAD_S else int(_AHEAD_S / item_s)
        return max(1, max(_AHEAD_MIN, worth) - self.items)

    @property
    def is_open(self) -> bool:
        return len(self.flights) < self.messages

    @property
    def tells(self) -> bool:
        """Something is in flight, and all of it wakes us when it is processed: looking for it is of no use."""
        return bool(self.flights) and all(flight.wakes for flight in self.flights)

    def add(self, flight: Flight) -> None:
        self.flights.append(flight)
        self.items += flight.items
        flight.in_window = True

    def remove(self, flight: Flight) -> None:
        """Forget ``flight``; its place is free."""
        self.flights.remove(flight)
        self.items -= flight.items
        flight.in_window = False

    def holds(self, key: str) -> bool:
        """Something of ``key`` is in flight."""
        return any(key in flight.cameras for flight in self.flights)

    def confirm(self, position: int, now: float, moved_position: int = 0) -> bool:
        """The consumer has processed everything up to ``position``. True: something left the window.

        ``moved_position``: the other lane's, which counts for flights that have been on both.
        """
        progressed = False
        while self.flights and (
            self.flights[0].sent <= position or (self.flights[0].moved and self.flights[0].sent <= moved_position)
        ):
            flight = self.flights[0]
            self.remove(flight)
            acknowledged_at = now if flight.acknowledged_at is None else flight.acknowledged_at
            started = max(self._progress_at, acknowledged_at)
            self._slowest_s = max(now - started, self._slowest_s * 0.9)
            self._pace.observe(flight.items, max(0.0, now - started))
            self._progress_at = now
            progressed = True
        return progressed

    def overdue_at(self) -> float | None:
        """When the oldest flight counts as lost; None: nothing is in flight, or the hub has not taken it yet."""
        if not self.flights or self.flights[0].acknowledged_at is None:
            return None
        oldest = self.flights[0]
        patience = max(self.timeout_s, _PACE_FACTOR * self._slowest_s)
        # Sent again and still not processed: the consumer is away or waits itself; asking faster helps neither.
        patience = max(patience, min(patience * (1 << max(0, min(oldest.sends - 1, 8))), _PATIENCE_MAX_S))
        return max(oldest.acknowledged_at or 0.0, self._progress_at) + patience

    def expire(self, now: float) -> tuple[list[Flight], list[Flight]]:
        """Split what is overdue into (to send again, given up).

        If one of them carries items that must be kept, all are sent again under their old numbers and in order, as
        often as it takes: the consumer drops by number what it had after all.
        """
        overdue_at = self.overdue_at()
        if overdue_at is None or now < overdue_at:
            return [], []
        acknowledged = [flight for flight in self.flights if flight.acknowledged_at is not None]
        if any(flight.keep for flight in acknowledged):
            for flight in acknowledged:
                flight.acknowledged_at = None
            return acknowledged, []
        for flight in acknowledged:
            self.remove(flight)
        return [], acknowledged
