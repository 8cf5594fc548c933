"""The sender's side of route leases: for which cameras a doorbell may be rung. No clock, no I/O.

A lease goes by the route once a second; who gets it answers. Three seconds after the newest answered lease left, the
doorbell is closed (route removed, WHERE false, consumer gone), and claims go by the route, where the hub judges them.
While the hub is away no lease can be answered, and that says nothing about the route: then the last one holds for the
grace. Away means: our link is down, the hub has not acknowledged a lease, or the consumer says that its link is down;
and a moment after that, because links come back one by one.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

LEASE_PERIOD_S = 1.0
LEASE_GOOD_S = 3.0
# From the end of an absence until leases have to be answered again.
SETTLE_S = 5.0
_UNACKNOWLEDGED_S = 0.5
# Without answers leases become rarer: a foreign consumer is not to be told every second what it does not want.
_PERIOD_MAX_S = 16.0
_UNANSWERED_KEPT = 3
_IDLE_S = 60.0
_KEPT_NUMBERS = 64


@dataclass(slots=True)
class _Key:
    due_at: float
    used_at: float
    unanswered: int = 0
    sent_at: OrderedDict[int, float] = field(default_factory=OrderedDict)
    good_at: float | None = None


class Leases:
    """Of one output with one consumer. ``key`` is a camera."""

    def __init__(self, grace_s: float) -> None:
        """``grace_s`` and ``enabled`` may be changed at any time."""
        self.grace_s = grace_s
        self.enabled = True
        self._keys: dict[str, _Key] = {}
        self._number = 0
        self._away_until = -1.0
        self._consumer_away_until = -1.0
        self._unacknowledged_since: float | None = None

    def offered(self, key: str, now: float) -> bool:
        """An item of ``key`` goes this way: it needs a lease. True: its first."""
        known = self._keys.get(key)
        if known is None:
            self._keys[key] = _Key(due_at=now, used_at=now)
            return True
        known.used_at = now
        return False

    def next_due(self) -> float | None:
        """When the next lease has to leave; None: nothing to lease."""
        if not self.enabled or self._unacknowledged_since is not None:
            return None
        return min((key.due_at for key in self._keys.values()), default=None)

    def take(self, now: float) -> tuple[str, int] | None:
        """The key and number of a lease that has to leave now; call ``left`` when the hub has it, or has not."""
        if (due_at := self.next_due()) is None or now < due_at:
            return None
        name = min(self._keys, key=lambda name: self._keys[name].due_at)
        key = self._keys[name]
        if now - key.used_at > _IDLE_S:
            del self._keys[name]
            return None
        self._number += 1
        key.sent_at[self._number] = now
        while len(key.sent_at) > _KEPT_NUMBERS:
            key.sent_at.popitem(last=False)
        key.unanswered += 1
        wait_s = LEASE_PERIOD_S * 2.0 ** max(0, min(8, key.unanswered - _UNANSWERED_KEPT))
        key.due_at = now + min(wait_s, _PERIOD_MAX_S)
        self._unacknowledged_since = now
        return name, self._number

    def left(self, key: str, now: float, *, acknowledged: bool) -> None:
        self._unacknowledged_since = None
        if not acknowledged:
            self._away_until = now + SETTLE_S
            if key in self._keys:
                self._keys[key].due_at = now

    def hurry(self, now: float) -> None:
        """Somebody works through our messages: worth a lease now, if they have become rare."""
        for key in self._keys.values():
            if key.unanswered > _UNANSWERED_KEPT and key.due_at > now + LEASE_PERIOD_S:
                key.unanswered, key.due_at = 1, now

    def answered(self, key: str, number: int, now: float) -> bool:
        """False: no lease of ours."""
        known = self._keys.get(key)
        sent_at = None if known is None else known.sent_at.get(number)
        if known is None or sent_at is None:
            return False
        known.good_at = sent_at if known.good_at is None else max(sent_at, known.good_at)
        known.unanswered = 0
        known.due_at = min(known.due_at, max(now, sent_at + LEASE_PERIOD_S))
        return True

    def consumer_away(self, now: float) -> None:
        """The consumer's own link to the hub is down."""
        self._consumer_away_until = now + SETTLE_S

    def gone(self) -> None:
        """The consumer has closed its doorbell: it has to answer anew."""
        for key in self._keys.values():
            key.good_at = None

    def is_open(self, key: str, now: float, *, link_up: bool) -> bool:
        """Whether the doorbell may be rung for ``key``."""
        known = self._keys.get(key)
        if known is None or not self.enabled or known.good_at is None:
            return False
        since = self._unacknowledged_since
        if not link_up or (since is not None and now - since > _UNACKNOWLEDGED_S):
            self._away_until = now + SETTLE_S
        if now < known.good_at + LEASE_GOOD_S:
            return True
        return now < max(self._away_until, self._consumer_away_until) and now < known.good_at + self.grace_s
