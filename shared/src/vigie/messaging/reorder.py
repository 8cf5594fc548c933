"""Bringing messages back into the order they were sent in, and finding those sent twice or lost. No clock, no I/O.

The client hands messages to a pool of four threads, so neighbours overtake each other by a few milliseconds; the hub
delivers again what was not acknowledged. ``(module, boot)`` names a stream, ``sent`` counts in it from 1. A stream has
two lanes, the route and the doorbell; ``after`` is the number that went before on the same lane, so that what went by
the other one is not waited for. One camera changes lanes only when nothing of it is on its way.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

M = TypeVar("M")

Stream = tuple[str, str]

_STREAMS_KEPT = 64  # every restart of a sender begins a new one
_NUMBERS_KEPT = 1024
# More missing numbers than this at once are a sender that counts wrongly (or a lie), and no count of messages.
LOST_AT_ONCE_MAX = 100_000


class Lane(StrEnum):
    """How a message came."""

    ROUTE = "route"
    DOORBELL = "doorbell"


@dataclass(slots=True)
class _Order(Generic[M]):
    last: int | None = None
    held: dict[int, tuple[int, M]] = field(default_factory=dict)
    wait_until: float = 0.0


@dataclass(slots=True)
class _Stream(Generic[M]):
    lanes: dict[Lane, _Order[M]] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    passed_in_order: deque[int] = field(default_factory=deque)


class Reorder(Generic[M]):
    """``push`` what came, ``pop`` what is next. A gap is waited for ``wait_s``, then counted as lost and passed."""

    def __init__(self, wait_s: float) -> None:
        """``wait_s``: a little more than threads overtake each other."""
        self._wait_s = wait_s
        self._streams: OrderedDict[Stream, _Stream[M]] = OrderedDict()
        self._ready: deque[M] = deque()
        self._holding = 0
        self.lost = 0
        self.duplicates = 0

    def push(
        self, stream: Stream, sent: int, message: M, now: float, *, after: int | None = None, lane: Lane = Lane.ROUTE
    ) -> bool:
        """Take a message in. ``after`` None: the number before. False: it came before, or too late; it is gone."""
        known = self._streams.get(stream)
        if known is None:
            known = self._streams[stream] = _Stream()
            while len(self._streams) > _STREAMS_KEPT:
                self._forget_oldest()
        elif len(self._streams) > 1:
            self._streams.move_to_end(stream)
        order = known.lanes.get(lane)
        if order is None:
            order = known.lanes[lane] = _Order()
        if (order.last is not None and sent <= order.last) or sent in order.held or sent in known.passed:
            self.duplicates += 1
            return False
        after = sent - 1 if after is None else min(after, sent - 1)
        # The first we hear of this lane may have overtaken others; on a doorbell nothing overtakes.
        if after <= (order.last or 0) or (order.last is None and lane is Lane.DOORBELL):
            self._pass(known, order, sent, message)
        else:
            if not order.held:
                order.wait_until = now + self._wait_s
            order.held[sent] = (after, message)
            self._holding += 1
        return True

    def pop(self, now: float) -> M | None:
        """The next message in order, or None: nothing, or a gap is still waited for."""
        if not self._ready and self._holding:
            for known, order in self._holders():
                if now >= order.wait_until:
                    self._give_up_gap(known, order)
                    break
        return self._ready.popleft() if self._ready else None

    def due(self) -> float | None:
        """When ``pop`` may have more without another ``push``; None: never."""
        if self._ready:
            return 0.0
        if not self._holding:
            return None
        return min(order.wait_until for _, order in self._holders())

    def _holders(self) -> list[tuple[_Stream[M], _Order[M]]]:
        return [(known, order) for known in self._streams.values() for order in known.lanes.values() if order.held]

    def _pass(self, known: _Stream[M], order: _Order[M], sent: int, message: M) -> None:
        self._ready.append(message)
        self._note(known, sent)
        order.last = sent
        if not order.held:
            return
        while order.held:
            following = min(order.held)
            after, held = order.held[following]
            if after > order.last:
                break
            del order.held[following]
            self._holding -= 1
            if following in known.passed:
                self.duplicates += 1
                continue
            self._ready.append(held)
            self._note(known, following)
            order.last = following
        if order.held:
            order.wait_until += self._wait_s

    def _note(self, known: _Stream[M], sent: int) -> None:
        known.passed.add(sent)
        known.passed_in_order.append(sent)
        if len(known.passed_in_order) > _NUMBERS_KEPT:
            known.passed.discard(known.passed_in_order.popleft())

    def _give_up_gap(self, known: _Stream[M], order: _Order[M]) -> None:
        first = min(order.held)
        after, message = order.held.pop(first)
        self._holding -= 1
        if order.last is not None:
            last = order.last
            elsewhere = sum(1 for number in known.passed if last < number <= after)
            self.lost += min(LOST_AT_ONCE_MAX, max(0, after - last - elsewhere))
        self._pass(known, order, first, message)

    def _forget_oldest(self) -> None:
        _, oldest = self._streams.popitem(last=False)
        for order in oldest.lanes.values():
            self._ready.extend(order.held[number][1] for number in sorted(order.held))
            self._holding -= len(order.held)
