"""The doorbell half of an output: what may be rung is rung by whoever offers it, without another thread.

Runs with the outbox's lock held, on the thread that offers or on that of the doorbells.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from vigie.drop_reason import DropReason
from vigie.frames.doorbell import Rung
from vigie.messaging.bell_input import LEASE
from vigie.messaging.bell_output import DATAGRAM_BODY_MAX, BellOutput
from vigie.messaging.output_settings import OutputSettings
from vigie.messaging.pending import Pending, PendingItem
from vigie.messaging.window import Flight, Window
from vigie.metrics import Metrics

T = TypeVar("T")

SLOW_POLL_S = 0.01  # at most, also once the consumer has been quiet for a while
# While everything in flight wakes us when it is processed: only against a wake-up that a full socket did not take.
TOLD_POLL_S = 0.1

encoder = msgspec.json.Encoder()


class Ringing(ABC, Generic[T]):
    """Half of ``Output``, which holds the state."""

    bell: BellOutput | None
    settings: OutputSettings
    name: str
    _boot: str
    _module_id: str
    _condition: threading.Condition
    _room: threading.Condition
    _metrics: Metrics
    _pending: Pending[T]
    _window: Window
    _given_up: dict[str, tuple[int, float]]
    _again: deque[Flight]
    _urgent: deque[PendingItem[T]]
    _ring_again: deque[Flight]
    _kick: Callable[[], None]
    _kicked: bool
    _sent: int
    _route_last: int
    _room_waiters: int
    _limit: int

    @abstractmethod
    def _look(self, now: float) -> None: ...
    @abstractmethod
    def _leaves_at(self, *, by_route: bool = False) -> float: ...
    @abstractmethod
    def _build(self, taken: list[PendingItem[T]], *, by_bell: bool = False) -> Flight: ...
    @abstractmethod
    def _body(self, sent: int, after: int, items: bytes) -> bytes: ...
    @abstractmethod
    def _refuse(self, waiting: PendingItem[T]) -> None: ...
    @abstractmethod
    def _count(self, flight: Flight, reason: DropReason) -> None: ...

    def ring_waiting(self, now: float) -> float | None:
        """Ring what may go now. Returns: seconds until the next look; None: nothing waits and nothing is in flight."""
        bell = self.bell
        if bell is None:
            return None
        self._kicked = False
        self._look(now)
        self._ring_refused(now)
        self._ring_pending(now)
        if self._ring_again or (
            len(self._pending) and any(self._rings(bell, key, now) for key in self._pending.waiting_keys())
        ):
            return TOLD_POLL_S if self._is_told(bell) else SLOW_POLL_S
        return 0.2 if bell.window.flights else None

    def _look_by_bell(self, now: float) -> tuple[list[Flight], list[Flight]]:
        """What of the doorbell is overdue: sent again (once more by doorbell, or by the route), and given up."""
        bell = self.bell
        if bell is None or not bell.window.flights:
            return [], []
        if bell.window.confirm(bell.position(self._boot), now):
            self._moved(now)
        again, lost = bell.window.expire(now)
        for flight in again:
            if any(bell.rings(key, now) for key in flight.cameras):
                self._ring_again.append(flight)
            else:
                bell.window.remove(flight)
                self._by_route(flight)
        return again, lost

    def _leave(self, now: float) -> None:
        """Send what may go by doorbell at once, on this very thread; wake who sends the rest."""
        bell = self.bell
        if bell is None or not bell.is_known:
            self._condition.notify_all()
            return
        self._ring_pending(now)
        by_bell = by_route = False
        for key in self._pending.waiting_keys():
            if self._rings(bell, key, now):
                by_bell = True
            else:
                by_route = True
        if by_route:
            self._condition.notify_all()
        if by_bell and not self._kicked and not self._is_told(bell):
            self._kicked = True
            self._kick()

    def _is_told(self, bell: BellOutput) -> bool:
        """What waits, waits for the window alone, and whoever makes room in it wakes us."""
        return not bell.window.is_open and bell.window.tells and not self._ring_again

    def _moved(self, now: float) -> None:
        """Something was processed: wake who waits for that, and nobody else."""
        self._moved_at = now
        if self._room_waiters:
            self._room.notify_all()
        if self._again or self._urgent or any(self._goes_by_route(key, now) for key in self._pending.waiting_keys()):
            self._condition.notify_all()

    def _goes_by_route(self, key: str, now: float) -> bool:
        """One key's items never overtake each other: the way changes only when nothing of it is on the other one."""
        bell = self.bell
        return bell is None or not (self._rings(bell, key, now) or bell.window.holds(key))

    def _rings(self, bell: BellOutput, key: str, now: float) -> bool:
        """Whether ``key`` goes by doorbell. What was given up on the route may still come, and must not come after what
        is newer: its key stays there until something later is processed, but not for ever, since a condition in the
        route may let nothing of it pass.
        """
        late = self._given_up.get(key)
        return bell.rings(key, now) and (late is None or now >= late[1])

    def _ring_pending(self, now: float) -> None:
        bell = self.bell
        if bell is None or not bell.is_known or not len(self._pending):
            return
        if bell.window.flights:
            self._look(now)  # who rings into a window that seems full asks to be woken, which costs both sides
        self._ring_refused(now)
        while not self._ring_again and len(self._pending) and bell.window.is_open and now >= self._leaves_at():
            limit = min(self._limit, DATAGRAM_BODY_MAX)
            room = bell.window.room_for_newest()
            taken, too_large = self._pending.take(
                limit, encoder.encode, room, lambda key: not self._window.holds(key) and self._rings(bell, key, now)
            )
            for waiting in too_large:
                if len(waiting.encoded) + 1 > self._limit:
                    self._refuse(waiting)
                else:
                    self._by_route(self._build([waiting]))
            if taken:
                flight = self._build(taken, by_bell=True)
                bell.window.add(flight)
                self._ring(flight, now)
            elif not too_large:
                return

    def _ring_refused(self, now: float) -> None:
        """What a full socket did not take, in order. Nothing newer goes before: the consumer drops by number, so that
        what comes late looks like something that came before.
        """
        for _ in range(len(self._ring_again)):
            flight = self._ring_again.popleft()
            if flight.in_window and not self._ring(flight, now):
                return

    def _ring(self, flight: Flight, now: float) -> bool:
        """False: the socket is full, and ``flight`` is the next to be rung."""
        bell = self.bell
        if bell is None:
            return True
        wake = bool(len(self._pending) or self._room_waiters or not bell.window.is_open)
        open_ = any(bell.rings(key, now) for key in flight.cameras)
        flight.wakes = wake
        rung = bell.ring(flight.body, wake=wake) if open_ else Rung.GONE
        if rung is Rung.DONE:
            flight.sends += 1
            flight.acknowledged_at = now
            self._metrics.rung.labels(self.name).inc()
        elif rung is Rung.FULL:
            self._ring_again.appendleft(flight)
            return False
        elif rung is Rung.TOO_LARGE:
            bell.window.remove(flight)
            self._by_route(flight)
        else:
            self._nobody_hears(bell, now)
        return True

    def _nobody_hears(self, bell: BellOutput, now: float) -> None:
        """The consumer has gone, and with it what lay in its socket: kept items go by the route, the rest is lost."""
        bell.window.confirm(bell.position(self._boot), now)
        for flight in list(bell.window.flights):
            bell.window.remove(flight)
            if flight.keep or flight.sends == 0:
                self._by_route(flight)
            else:
                self._count(flight, DropReason.UNCONFIRMED)
        self._condition.notify_all()
        self._room.notify_all()

    def _by_route(self, flight: Flight) -> None:
        """Give the route what was built already. Under its own number, so that a consumer that has it knows it;
        except where higher ones went that way before, which would make it look like an old one.
        """
        if flight.sent <= self._route_last:
            self._sent += 1
            flight.sent = self._sent
        flight.body = self._body(flight.sent, self._route_last, flight.items_body)
        self._route_last = flight.sent
        flight.moved, flight.acknowledged_at, flight.sends = True, None, 0
        self._window.add(flight)
        self._again.append(flight)
        self._condition.notify_all()

    def _lease(self, key: str, number: int) -> Flight:
        bell = self.bell
        if bell is None:
            raise AssertionError("leases are of outputs with doorbells")
        body = bell.lease_body(str(self.settings.schema), self._module_id, self._boot, key, number)
        properties = {LEASE: bell.nonce, "camera": key}
        return Flight(0, body, properties, Counter(), keep=False, lease_of=key)
