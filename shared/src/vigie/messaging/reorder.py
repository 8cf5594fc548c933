"""Bringing messages back into the order they were sent in, and finding those sent twice or lost. No clock, no I/O.

The client hands messages to a pool of four threads, so neighbours overtake each other by a few milliseconds; the hub
delivers again what was not acknowledged. ``(module, boot)`` names a stream, ``sent`` counts in it from 1.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

M = TypeVar("M")

Stream = tuple[str, str]

_STREAMS_KEPT = 64  # every restart of a sender begins a new one


@dataclass(slots=True)
class _Order(Generic[M]):
    last: int | None = None
    held: dict[int, M] = field(default_factory=dict)
    wait_until: float = 0.0


class Reorder(Generic[M]):
    """``push`` what came, ``pop`` what is next. A gap is waited for ``wait_s``, then counted as lost and passed."""

    def __init__(self, wait_s: float) -> None:
        """``wait_s``: a little more than threads overtake each other."""
        self._wait_s = wait_s
        self._streams: OrderedDict[Stream, _Order[M]] = OrderedDict()
        self._ready: deque[M] = deque()
        self.lost = 0
        self.duplicates = 0

    def push(self, stream: Stream, sent: int, message: M, now: float) -> bool:
        """Take a message in. False: it came before, or too late; it is gone."""
        order = self._streams.get(stream)
        if order is None:
            order = self._streams[stream] = _Order()
            while len(self._streams) > _STREAMS_KEPT:
                _, oldest = self._streams.popitem(last=False)
                self._ready.extend(oldest.held[number] for number in sorted(oldest.held))
        elif len(self._streams) > 1:
            self._streams.move_to_end(stream)
        if (order.last is not None and sent <= order.last) or sent in order.held:
            self.duplicates += 1
            return False
        if order.last is None and sent != 1:
            # The first we hear of this stream is not its first: wait a moment for what it may have overtaken.
            self._hold(order, sent, message, now)
        elif order.last is None or sent == order.last + 1:
            self._pass(order, sent, message)
        else:
            self._hold(order, sent, message, now)
        return True

    def pop(self, now: float) -> M | None:
        """The next message in order, or None: nothing, or a gap is still waited for."""
        if not self._ready:
            for order in self._streams.values():
                if order.held and now >= order.wait_until:
                    self._give_up_gap(order)
                    break
        return self._ready.popleft() if self._ready else None

    def due(self) -> float | None:
        """When ``pop`` may have more without another ``push``; None: never."""
        if self._ready:
            return 0.0
        return min((order.wait_until for order in self._streams.values() if order.held), default=None)

    def _hold(self, order: _Order[M], sent: int, message: M, now: float) -> None:
        if not order.held:
            order.wait_until = now + self._wait_s
        order.held[sent] = message

    def _pass(self, order: _Order[M], sent: int, message: M) -> None:
        self._ready.append(message)
        while (following := order.held.pop(sent + 1, None)) is not None:
            sent += 1
            self._ready.append(following)
        order.last = sent
        if order.held:
            order.wait_until += self._wait_s

    def _give_up_gap(self, order: _Order[M]) -> None:
        first = min(order.held)
        if order.last is not None:
            self.lost += first - order.last - 1
        self._pass(order, first, order.held.pop(first))
