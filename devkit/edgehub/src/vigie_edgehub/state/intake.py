"""A message comes in: routed, stored and acknowledged, or parked while there is no room."""

from __future__ import annotations

from collections.abc import Callable

from vigie_edgehub.message import MAX_MESSAGE_BYTES, CopyTarget, Message, message_bytes, properties_bytes
from vigie_edgehub.mqtt.packets import PubAck
from vigie_edgehub.mqtt.system_properties import CONNECTION_DEVICE_ID
from vigie_edgehub.routing import Routing
from vigie_edgehub.state.counters import Counters
from vigie_edgehub.state.effects import Effect, Note, Send, Store
from vigie_edgehub.state.faults import Faults
from vigie_edgehub.state.queues import Queues
from vigie_edgehub.state.sessions import ClientLink, Parked, Sessions
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers


class Intake:
    """The only place where a message gets its sequence number. ``pump`` is told which endpoints got one."""

    def __init__(
        self,
        *,
        routes: Routing,
        next_seq: int,
        queues: Queues,
        sessions: Sessions,
        timers: Timers,
        faults: Faults,
        settings: HubSettings,
        counters: Counters,
        pump: Callable[[float, str], None],
        out: list[Effect],
    ) -> None:
        self.routes = routes
        self.max_stored_bytes = settings.max_stored_bytes
        self._seq = next_seq
        self._queues = queues
        self._sessions = sessions
        self._timers = timers
        self._faults = faults
        self._settings = settings
        self._counters = counters
        self._pump = pump
        self._out = out
        self._full = False
        self.watchers: list[Callable[[Message], None]] = []

    def publish(self, now: float, link: ClientLink, packet_id: int, message: Message, *, dup: bool) -> bool:
        """Take a client's message. True: it was dealt with and acknowledged; False: it waits or comes again."""
        if link.draining:
            return False  # neither stored nor acknowledged: it comes again over the next link
        if dup and packet_id and link.session.unacknowledged.pop(packet_id, None) == _mark(message):
            self._counters.duplicates += 1
            self.acknowledge(now, link, packet_id)
            return True
        self._counters.received += 1
        if link.parked:
            self._park(link, packet_id, message)
            return False
        if not self.accept(now, link, packet_id, message):
            return False
        self.acknowledge(now, link, packet_id, message)
        return True

    def accept(self, now: float, link: ClientLink | None, packet_id: int, message: Message) -> bool:
        """Route and store. False: no room, parked."""
        for watcher in self.watchers:
            watcher(message)
        size = message_bytes(message) if link is None else _size(link, message)
        if size > MAX_MESSAGE_BYTES:
            self._counters.dropped_too_large += 1
            self._out.append(Note("warning", "message_dropped", _facts(message, "too_large", size)))
            return True
        matches = self.routes.match(message)
        if not matches:
            self._unrouted(message, size)
            return True
        if link is not None and not self._has_room(size):
            self._park(link, packet_id, message)
            return False
        self._store(
            now,
            message,
            size,
            [
                CopyTarget(match.endpoint, match.priority, None if match.ttl_s is None else now + match.ttl_s)
                for match in matches
            ],
        )
        return True

    def deliver(self, now: float, endpoint: str, message: Message, expires_at: float | None = None) -> None:
        """Queue a message for one endpoint, whatever the routes say. ``expires_at``: None for never."""
        self._store(now, message, message_bytes(message), [CopyTarget(endpoint, 0, expires_at)])

    def _store(self, now: float, message: Message, size: int, targets: list[CopyTarget]) -> None:
        seq = self._seq
        self._seq += 1
        self._counters.stored += 1
        self._queues.add(seq, size, targets)
        self._out.append(Store(seq, size, message, targets))
        for target in targets:
            self._pump(now, target.endpoint)

    def acknowledge(self, now: float, link: ClientLink, packet_id: int, message: Message | None = None) -> None:
        """PUBACK, at once or as late as the faults in force want it; ``packet_id`` 0 wants none."""
        if not packet_id:
            return
        delay_s = self._faults.ack_delay_s()
        if delay_s <= 0 and not link.delayed_acks:
            self._out.append(Send(link.id, PubAck(packet_id)))
            return
        link.ack_at = max(link.ack_at, now + delay_s)  # in order, whatever the jitter
        link.delayed_acks[packet_id] = 0 if message is None else _mark(message)
        self._timers.at(link.ack_at, lambda _: self._acknowledge_late(link, packet_id))

    def made_room(self, now: float) -> None:
        """Messages were delivered, expired or discarded: parked ones may come in, in their order."""
        if not self._full:
            return
        self._full = False
        for link in list(self._sessions.links.values()):
            while link.parked and link.open:
                first = link.parked[0]
                if not self._has_room(message_bytes(first.message)):
                    self._full = True
                    return
                del link.parked[0]
                self.accept(now, link, first.packet_id, first.message)
                self.acknowledge(now, link, first.packet_id)

    def _unrouted(self, message: Message, size: int) -> None:
        if message.kind == "twinChangeEvents":
            self._counters.unrouted_twin_changes += 1
            return
        self._counters.dropped_no_route += 1
        self._out.append(Note("debug", "message_dropped", _facts(message, "no_route", size)))

    def _acknowledge_late(self, link: ClientLink, packet_id: int) -> None:
        if link.open and link.id in self._sessions.links and link.delayed_acks.pop(packet_id, None) is not None:
            self._out.append(Send(link.id, PubAck(packet_id)))

    def _has_room(self, size: int) -> bool:
        if not self._queues.stored_messages:
            return True  # a bound below the size of one message must not stop everything for ever
        fits = self._queues.stored_bytes + size <= self.max_stored_bytes
        return fits and self._queues.stored_messages < self._settings.max_stored_messages

    def _park(self, link: ClientLink, packet_id: int, message: Message) -> None:
        if not self._full:
            self._full = True
            facts = {"stored_bytes": self._queues.stored_bytes, "stored_messages": self._queues.stored_messages}
            self._out.append(Note("warning", "store_full", facts))
        if len(link.parked) < self._settings.max_unacked_publishes:
            self._counters.parked += 1
            link.parked.append(Parked(packet_id, message))


def _size(link: ClientLink, message: Message) -> int:
    """As `message_bytes`: most senders repeat their properties, and the broker hands the same objects over."""
    system, application, known = link.sized
    if system is not message.system or application is not message.application:
        known = properties_bytes(message)
        link.sized = (message.system, message.application, known)
    return known + len(message.body)


def _mark(message: Message) -> int:
    """What tells a message that is sent again from another one with its packet id."""
    return hash((message.body, message.output))


def _facts(message: Message, reason: str, size: int) -> dict[str, object]:
    sender = (
        {"module": message.source_module}
        if message.source_module
        else {"device": message.system.get(CONNECTION_DEVICE_ID)}
    )
    return {**sender, "output": message.output, "reason": reason, "size_bytes": size}
