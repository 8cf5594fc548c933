"""One output of a module: what waits, what is on its way, and how far the consumer has come."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import msgspec

from vigie.config.doorbells import DoorbellConfig
from vigie.drop_reason import DropReason
from vigie.errors import MessageTooLargeError
from vigie.log import OncePer, get_logger
from vigie.messaging.bell_output import BellOutput, ConsumerPosition
from vigie.messaging.output_settings import OutputSettings
from vigie.messaging.pending import Pending, PendingItem
from vigie.messaging.ringing import SLOW_POLL_S, TOLD_POLL_S, Ringing
from vigie.messaging.size import body_limit_bytes
from vigie.messaging.window import Flight, Window
from vigie.metrics import Metrics

log = get_logger(__name__)

T = TypeVar("T")

# Asks the consumer for credit messages: the sender sees no cursor of it (yet).
CREDIT_WANTED = {"credit": "1"}
_NO_PROPERTIES: dict[str, str] = {}

_POLL_S = 0.0015  # a cursor is one mapped word; this is what a shut window costs in delay
# Looks per message of a slow consumer. While the window is shut it still has a message to work on, so that looking
# later delays nothing; looking every 1.5 ms cost a busy sender 0.5 ms of CPU a frame.
_LOOKS_PER_MESSAGE = 8
_QUIET_AFTER_S = 0.5
# What a batch takes where it is quick; a slow stage's first result does not wait for its last.
_TOGETHER_S = 0.005
# What was given up on the route is waited for this long before its key goes by doorbell, and not at once again.
_LATE_S = 10.0
_LATE_AGAIN_S = 60.0

_encoder = msgspec.json.Encoder()


class Output(Ringing[T]):
    """Offer items from worker threads; the outbox's thread sends them. Thread-safe."""

    def __init__(
        self,
        settings: OutputSettings,
        *,
        module_id: str,
        boot: str,
        progress: ConsumerPosition | None,
        condition: threading.Condition,
        metrics: Metrics,
        bell: BellOutput | None = None,
        kick: Callable[[], None] = lambda: None,
        room: threading.Condition | None = None,
    ) -> None:
        """``condition`` is the outbox's: one lock for all outputs. ``progress`` None: nothing is waited for.

        ``room``: another condition of the same lock, for those who wait for room; the outbox need not wake for them.
        ``bell``: claims may go by doorbell; ``kick`` tells the thread of the doorbells that something waits there.
        """
        self.settings = settings
        self.name = settings.name
        self._boot = boot
        self._progress = progress
        self._condition = condition
        self._room = condition if room is None else room
        self._metrics = metrics
        self._pending: Pending[T] = Pending(settings.depth)
        self._urgent: deque[PendingItem[T]] = deque()
        self._window = Window(settings.window_messages, settings.timeout_s)
        self._again: deque[Flight] = deque()
        self._credit = 0
        self._sent = 0
        self.bell = bell
        # Answers can be heard, and the consumer has a doorbell; without, no lease is worth sending.
        self.hearing = False
        self._kick = kick
        self._kicked = False
        self._ring_again: deque[Flight] = deque()
        self._route_last = 0
        # Per key, the highest number given up on the route, lost or only late, and until when it is waited for.
        self._given_up: dict[str, tuple[int, float]] = {}
        self._room_waiters = 0
        self._oldest_at = 0.0
        self._moved_at = time.monotonic()
        self._held_until = 0.0
        self._quiet = OncePer()
        self._module_id = module_id
        head = _encoder.encode({"schema": str(settings.schema), "module": module_id, "boot": boot})
        self._head = head[:-1] + b',"sent":'
        self._limit = body_limit_bytes(self.name, CREDIT_WANTED, None) - len(self._head) - 70  # numbers and brackets

    @property
    def outstanding(self) -> int:
        """Items that wait or are on their way and not yet processed."""
        with self._condition:
            self._look(time.monotonic())
            return self._outstanding(None)

    def outstanding_of(self, key: str) -> int:
        """``outstanding``, of those with ``key`` alone."""
        with self._condition:
            self._look(time.monotonic())
            return self._outstanding(key)

    def without_progress_s(self) -> float:
        """How long something has been waiting for the consumer without its processing anything; 0: nothing waits.

        Asked now and then: what began to wait since the last time counts from there.
        """
        with self._condition:
            now = time.monotonic()
            if self._progress is None or self.settings.sampled:
                return 0.0
            self._look(now)
            if not self._outstanding(None):
                self._moved_at = now
            return now - self._moved_at

    @contextmanager
    def together(self, items: int, within_s: float = _TOGETHER_S) -> Iterator[None]:
        """What is offered inside leaves in one message, at the end or when ``within_s`` is over.

        For a stage that works through a received batch of ``items``: otherwise its first result goes ahead alone and
        every stage makes more messages out of fewer. A batch of one is not held.
        """
        if items < 2:
            yield
            return
        with self._condition:
            self._held_until = time.monotonic() + within_s
        try:
            yield
        finally:
            with self._condition:
                self._held_until = 0.0
                if len(self._pending):
                    self._leave(time.monotonic())

    def offer(self, item: T, *, key: str, keep: bool, weight: float = 1.0) -> T | None:
        """Hand over ``item``. Without ``keep`` an older waiting item of the same ``key`` is dropped and counted.

        ``weight``: the share of ``key`` beside others while the consumer cannot take all.

        Returns: what was dropped; it was never sent, so its slot in a ring can be used again at once.
        """
        with self._condition:
            now = time.monotonic()
            if not len(self._pending):
                self._oldest_at = now
            dropped = self._pending.offer(item, key, keep=keep, weight=weight)
            if self.bell is not None and self.bell.leases.offered(key, now):
                self._condition.notify_all()  # its first lease leaves now
            self._leave(now)
        # Without a consumer to wait for (credit) the newer item says all that the older one did: nothing is lost.
        if dropped is not None and self._progress is not None and not self.settings.sampled:
            self._metrics.dropped(DropReason.CONSUMER_BEHIND, key)
        return None if dropped is None else dropped.item

    def send_now(self, item: T) -> None:
        """Send ``item`` in a message of its own, whatever the window says: for small things said now and then."""
        with self._condition:
            self._urgent.append(PendingItem(item, "", keep=False))
            self._condition.notify_all()

    def wait_for_room(
        self, stop: threading.Event, timeout_s: float = 1.0, *, key: str | None = None, limit: int | None = None
    ) -> bool:
        """Block while ``limit`` items (default ``max_outstanding``) are outstanding; with ``key``, only its own count.

        Who had to wait gets half of the room: otherwise every frame would wake every thread on its way once.
        False: ``stop`` was set or the time is over.
        """
        most = self.settings.max_outstanding if limit is None else limit
        with self._condition:
            now = time.monotonic()
            self._look(now)
            if self._outstanding(key) < most:
                return True
            deadline, few = now + timeout_s, max(1, (most + 1) // 2)
            self._room_waiters += 1
            try:
                while not stop.is_set() and now < deadline:
                    self._room.wait(min(self._room_poll_s(now), deadline - now))
                    now = time.monotonic()
                    self._look(now)
                    if self._outstanding(key) < few:
                        return True
            finally:
                self._room_waiters -= 1
            return self._outstanding(key) < most

    def configure(
        self,
        *,
        linger_ms: float | None = None,
        max_outstanding: int | None = None,
        doorbells: DoorbellConfig | None = None,
    ) -> None:
        """Change at run time what the module's twin says."""
        with self._condition:
            if self.bell is not None and doorbells is not None:
                self.bell.leases.enabled, self.bell.leases.grace_s = doorbells.on, doorbells.grace_seconds
            self.settings = replace(
                self.settings,
                linger_ms=self.settings.linger_ms if linger_ms is None else linger_ms,
                max_outstanding=self.settings.max_outstanding if max_outstanding is None else max_outstanding,
            )
            self._condition.notify_all()

    def credit(self, sent: int) -> None:
        """The consumer says by message what its cursor cannot."""
        with self._condition:
            self._credit = max(self._credit, sent)
            self._condition.notify_all()
            self._room.notify_all()

    # Below: for the outbox, with the condition held.

    def next_flight(self, now: float) -> Flight | None:
        """The next message to send, or None: nothing waits, the window is shut, or it lingers."""
        if len(self._pending) or self._again:
            self._look(now)
        while self._again:
            flight = self._again.popleft()
            if flight.in_window or self._unwatched(flight):
                return flight  # otherwise: processed after all, while it waited to be sent again
        if self.bell is not None and self.hearing and (lease := self.bell.leases.take(now)) is not None:
            return self._lease(*lease)
        if self._urgent:
            flight = self._build([self._urgent.popleft()])
            flight.urgent = True
            return flight
        if not len(self._pending) or not self._window.is_open or now < self._leaves_at(by_route=True):
            return None
        accept = None if self.bell is None else lambda key: self._goes_by_route(key, now)
        taken, too_large = self._pending.take(self._limit, _encoder.encode, self._window.room_for_newest(), accept)
        for waiting in too_large:
            self._refuse(waiting)
        if not taken:
            return None
        flight = self._build(taken)
        if self._progress is not None:
            self._window.add(flight)
        return flight

    def due_s(self, now: float) -> float | None:
        """Seconds until ``next_flight`` may have something without a new offer; None: only an offer helps."""
        due_s = self._message_due_s(now)
        if self.bell is None or not self.hearing or (lease_at := self.bell.leases.next_due()) is None:
            return due_s
        lease_s = max(0.0, lease_at - now)
        return lease_s if due_s is None else min(due_s, lease_s)

    def _message_due_s(self, now: float) -> float | None:
        waits = len(self._pending) and (
            self.bell is None or any(self._goes_by_route(key, now) for key in self._pending.waiting_keys())
        )
        if not waits and not any(flight.keep for flight in self._window.flights):
            return None
        if not self._window.is_open:
            return self._poll_s(now)
        if waits:
            return max(0.0, self._leaves_at(by_route=True) - now)
        return 0.2  # messages that must arrive are in flight: look now and then whether they are overdue

    def finished(self, flight: Flight, now: float, *, acknowledged: bool) -> None:
        """The send of ``flight`` is over; without an acknowledgement it goes again, before anything newer."""
        flight.carrier = None
        if self.bell is not None and flight.lease_of is not None:
            self.bell.leases.left(flight.lease_of, now, acknowledged=acknowledged)
            return
        if acknowledged:
            flight.sends += 1
            flight.acknowledged_at = now
            self._metrics.sent.labels(self.name).inc()
        else:
            self._again.appendleft(flight)

    def give_up(self, flight: Flight, reason: DropReason) -> None:
        """``flight`` cannot be sent at all."""
        if self.bell is not None and flight.lease_of is not None:
            self.bell.leases.left(flight.lease_of, time.monotonic(), acknowledged=False)
            return
        if flight.in_window:
            self._window.remove(flight)
        self._count(flight, reason)

    def overdue(self, now: float) -> None:
        """Find lost messages even while nothing new is offered; else ``next_flight`` has just looked."""
        if not len(self._pending):
            self._look(now)

    def _unwatched(self, flight: Flight) -> bool:
        return flight.urgent or self._progress is None

    def _look(self, now: float) -> None:
        window = self._window
        again, lost = self._look_by_bell(now) if self.bell is not None else ([], [])
        if window.flights and self._progress is not None:
            position = max(self._progress.position(self._boot) or 0, self._credit)
            moved = 0 if self.bell is None else self.bell.position(self._boot)
            if window.confirm(position, now, moved):
                self._settle(position)
                self._moved(now)
                if self.bell is not None:
                    self.bell.leases.hurry(now)
            route_again, route_lost = window.expire(now)
            self._again.extend(route_again)
            again, lost = again + route_again, lost + route_lost
            for flight in route_lost:
                for key in flight.cameras:
                    _, until = self._given_up.get(key, (0, -_LATE_AGAIN_S))
                    self._given_up[key] = (flight.sent, until if now < until + _LATE_AGAIN_S else now + _LATE_S)
        if self.settings.sampled:
            return
        for flight in lost:
            self._count(flight, DropReason.UNCONFIRMED)
        if (again or lost) and self._quiet.ready("overdue") is not None:
            log.warning("messages_unconfirmed", output=self.name, again=len(again), given_up=len(lost))

    def _settle(self, position: int) -> None:
        """The route brings everything in order: what is before ``position`` has come, or never will."""
        self._given_up = {key: late for key, late in self._given_up.items() if late[0] > position}

    def _outstanding(self, key: str | None) -> int:
        windows = [self._window] if self.bell is None else [self._window, self.bell.window]
        if key is None:
            return len(self._pending) + sum(window.items for window in windows)
        in_flight = sum(flight.cameras[key] for window in windows for flight in window.flights)
        return self._pending.waiting(key) + in_flight

    def _leaves_at(self, *, by_route: bool = False) -> float:
        linger_ms = max(self.settings.linger_ms, self.settings.route_linger_ms if by_route else 0.0)
        return max(self._oldest_at + linger_ms / 1000, self._held_until)

    def _room_poll_s(self, now: float) -> float:
        told = self.bell is not None and self.bell.window.tells and not self._window.flights
        return TOLD_POLL_S if told else self._poll_s(now)

    def _poll_s(self, now: float) -> float:
        overdue_at = self._window.overdue_at()
        quiet = overdue_at is not None and now > overdue_at - self.settings.timeout_s + _QUIET_AFTER_S
        if quiet:
            return SLOW_POLL_S
        return max(_POLL_S, min(SLOW_POLL_S, self._window.slowest_s / _LOOKS_PER_MESSAGE))

    def _build(self, taken: list[PendingItem[T]], *, by_bell: bool = False) -> Flight:
        self._sent += 1
        items = b",".join([waiting.encoded or _encoder.encode(waiting.item) for waiting in taken])
        cameras = Counter(waiting.key for waiting in taken)
        keep = any(waiting.keep for waiting in taken)
        if self.bell is not None and by_bell:
            body = self._body(self._sent, self.bell.last_sent, items)
            self.bell.last_sent = self._sent
            return Flight(self._sent, body, _NO_PROPERTIES, cameras, keep, items_body=items)
        body = self._body(self._sent, self._route_last, items)
        self._route_last = self._sent
        asks = self._progress is not None and self._progress.position(self._boot) is None
        return Flight(self._sent, body, CREDIT_WANTED if asks else _NO_PROPERTIES, cameras, keep)

    def _body(self, sent: int, after: int, items: bytes) -> bytes:
        # Without doorbells the number before is the number before, and nobody has to be told.
        told = b"" if after == sent - 1 else b',"after":%d' % after
        return b'%b%d%b,"items":[%b]}' % (self._head, sent, told, items)

    def _refuse(self, waiting: PendingItem[T]) -> None:
        self._metrics.dropped(DropReason.TOO_LARGE, waiting.key)
        error = MessageTooLargeError(self.name, len(waiting.encoded), self._limit)
        if (held := self._quiet.ready("too_large")) is not None:
            log.error("item_too_large", output=self.name, camera=waiting.key, reason=str(error), more=held)

    def _count(self, flight: Flight, reason: DropReason) -> None:
        for camera, count in flight.cameras.items():
            self._metrics.dropped(reason, camera, count)
