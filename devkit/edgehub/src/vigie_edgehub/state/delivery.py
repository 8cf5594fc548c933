"""From the queues to the inputs: one message in flight per endpoint, again until acknowledged."""

from __future__ import annotations

from vigie_edgehub.message import endpoint_owner
from vigie_edgehub.state.effects import Deliver, Effect, Settle
from vigie_edgehub.state.faults import Faults
from vigie_edgehub.state.queues import Copy, EndpointQueue, Queues
from vigie_edgehub.state.sessions import ClientLink, Sessions
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers


class Slot:
    """One input endpoint: what is on its way, to which link, since when."""

    __slots__ = ("attempts", "copy", "delay_until", "link", "owner", "packet_id", "queue", "sent_at", "watched")

    def __init__(self, queue: EndpointQueue) -> None:
        self.queue = queue
        self.owner = endpoint_owner(queue.endpoint)
        self.copy: Copy | None = None  # taken from the queue, not yet acknowledged
        self.link: ClientLink | None = None  # set while a PUBACK is awaited
        self.packet_id = 0
        self.sent_at = 0.0
        self.attempts = 0
        self.delay_until: float | None = None
        self.watched = False  # a time-out check is in the timers


class Delivery:
    """Pumps every input endpoint. ``out`` collects the effects."""

    def __init__(
        self,
        *,
        queues: Queues,
        sessions: Sessions,
        timers: Timers,
        faults: Faults,
        settings: HubSettings,
        out: list[Effect],
    ) -> None:
        self._queues = queues
        self._sessions = sessions
        self._timers = timers
        self._faults = faults
        self._settings = settings
        self._out = out
        self._slots: dict[str, Slot] = {}
        self._of_owner: dict[str, list[Slot]] = {}

    def slot(self, endpoint: str) -> Slot:
        slot = self._slots.get(endpoint)
        if slot is None:
            slot = self._slots[endpoint] = Slot(self._queues.queue(endpoint))
            self._of_owner.setdefault(slot.owner, []).append(slot)
        return slot

    def in_flight(self, endpoint: str) -> int:
        """How many copies were taken from the queue and are not acknowledged yet: 0 or 1."""
        slot = self._slots.get(endpoint)
        return int(slot is not None and slot.copy is not None)

    def slots(self) -> list[Slot]:
        return list(self._slots.values())

    def pump(self, now: float, endpoint: str) -> None:
        self._pump(now, self.slot(endpoint))

    def pump_owner(self, now: float, owner: str) -> None:
        for slot in self._of_owner.get(owner, ()):
            self._pump(now, slot)

    def _pump(self, now: float, slot: Slot) -> None:
        if slot.link is not None:
            return  # one in flight
        session = self._sessions.of(slot.owner)
        if session is None or session.link is None or not session.wants_messages or not session.link.open:
            return
        if session.messages_held_until > now:
            return  # the shell was given a timer when the hold began
        if slot.delay_until is not None and slot.delay_until > now:
            return  # its timer is set
        if slot.delay_until is None and self._delayed(now, slot):
            return
        slot.delay_until = None
        copy = self._next_copy(now, slot)
        if copy is not None:
            self._send(now, slot, session.link, copy)

    def _delayed(self, now: float, slot: Slot) -> bool:
        """Slow delivery was asked for. The message itself is chosen afterwards: a more urgent one may come."""
        if slot.copy is None and slot.queue.empty:
            return False
        delay_s = self._faults.delivery_delay_s()
        if delay_s <= 0:
            return False
        slot.delay_until = now + delay_s
        self._timers.at(slot.delay_until, lambda at: self._pump(at, slot))
        return True

    def _next_copy(self, now: float, slot: Slot) -> Copy | None:
        while True:
            copy = slot.copy or slot.queue.pop()
            if copy is None or not copy.expired(now):
                slot.copy = copy
                return copy
            slot.queue.expired += 1
            self._forget(slot)
            self._settle(slot, copy)

    def _send(self, now: float, slot: Slot, link: ClientLink, copy: Copy) -> None:
        if not slot.attempts or slot.packet_id in link.deliveries:
            slot.packet_id = link.session.next_packet_id(link.deliveries)
        slot.link = link
        slot.sent_at = now
        slot.attempts += 1
        link.deliveries[slot.packet_id] = slot.queue.endpoint
        self._out.append(Deliver(link.id, slot.packet_id, slot.attempts > 1, copy.held.seq, slot.queue.endpoint))
        if not slot.watched:
            slot.watched = True
            self._timers.at(now + self._settings.ack_timeout_s, lambda at: self._watch(at, slot))

    def _watch(self, now: float, slot: Slot) -> None:
        """One timer per endpoint looks after whatever is in flight when it fires."""
        slot.watched = False
        if slot.link is None:
            return
        due = slot.sent_at + self._settings.ack_timeout_s
        if due > now:
            slot.watched = True
            self._timers.at(due, lambda at: self._watch(at, slot))
            return
        self._return(slot)
        self._pump(now, slot)

    def acknowledged(self, now: float, link: ClientLink, packet_id: int) -> bool:
        """A PUBACK came. False: it was for nothing that waits here."""
        endpoint = link.deliveries.pop(packet_id, None)
        slot = None if endpoint is None else self._slots.get(endpoint)
        if slot is None or slot.copy is None:
            return False
        copy = slot.copy
        slot.queue.delivered += 1
        self._forget(slot)
        self._settle(slot, copy)
        self._pump(now, slot)
        return True

    def skip(self, now: float, endpoint: str) -> None:
        """The message in flight cannot be sent at all (unreadable, or its topic too long): the next one may."""
        slot = self.slot(endpoint)
        if slot.link is not None:
            self.acknowledged(now, slot.link, slot.packet_id)
            slot.queue.delivered -= 1

    def link_lost(self, link: ClientLink) -> None:
        """What was in flight goes again, first, as soon as the client is back."""
        for endpoint in list(link.deliveries.values()):
            self._return(self._slots[endpoint])
        link.deliveries.clear()

    def _return(self, slot: Slot) -> None:
        if slot.link is not None:
            slot.link.deliveries.pop(slot.packet_id, None)
        slot.link = None
        slot.delay_until = None

    def remove(self, endpoint: str) -> int:
        """No route leads here any more: discard what waits. How many copies that was."""
        slot = self._slots.pop(endpoint, None)
        gone: list[Copy] = []
        if slot is not None:
            self._of_owner[slot.owner].remove(slot)
            if slot.copy is not None:
                gone.append(slot.copy)
            self._return(slot)
            slot.copy = None
        queue = self._queues.by_endpoint.pop(endpoint, None)
        gone += list(queue) if queue is not None else []
        for copy in gone:
            self._queues.release(copy)
            self._out.append(Settle(copy.held.seq, endpoint))
        return len(gone)

    def _forget(self, slot: Slot) -> None:
        self._return(slot)
        slot.copy = None
        slot.attempts = 0

    def _settle(self, slot: Slot, copy: Copy) -> None:
        self._queues.release(copy)
        self._out.append(Settle(copy.held.seq, slot.queue.endpoint))
