"""The hub's rules in one place: every event of a client or an operator, turned into effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vigie_edgehub.message import UPSTREAM, CopyTarget, Message, endpoint_owner, is_devicebound
from vigie_edgehub.mqtt.packets import Publish, SubAck, UnsubAck
from vigie_edgehub.mqtt.topics import desired_patch_topic
from vigie_edgehub.ports import JsonObject, Misbehaviour
from vigie_edgehub.routing import Routing
from vigie_edgehub.state.counters import Counters
from vigie_edgehub.state.delivery import Delivery
from vigie_edgehub.state.effects import Effect, Note, SaveSession, SaveTwin, Send, Settle
from vigie_edgehub.state.faults import Faults
from vigie_edgehub.state.intake import Intake
from vigie_edgehub.state.json_bytes import encode_json
from vigie_edgehub.state.links import Links
from vigie_edgehub.state.methods import HubMethods
from vigie_edgehub.state.queues import Queues
from vigie_edgehub.state.sessions import ClientLink, Sessions, StoredSession
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers
from vigie_edgehub.state.twin_requests import TwinRequests
from vigie_edgehub.state.twins import HubTwins, Twin
from vigie_edgehub.state.uplink import Uplink


class HubState:
    """Time is an argument: seconds since the epoch that never run backwards while the hub lives.

    After every call the shell takes `take_effects` and asks again at `next_at`.
    """

    def __init__(
        self,
        device_id: str,
        routes: Routing,
        settings: HubSettings,
        *,
        next_seq: int = 1,
        sessions: Iterable[StoredSession] = (),
        twins: Iterable[Twin] = (),
    ) -> None:
        self.settings = settings
        self.counters = Counters()
        self.queues = Queues()
        self.timers = Timers()
        self.faults = Faults()
        self._out: list[Effect] = []
        self.sessions = Sessions(device_id, sessions)
        self.twins = HubTwins(twins)
        self.delivery = Delivery(
            queues=self.queues,
            sessions=self.sessions,
            timers=self.timers,
            faults=self.faults,
            settings=settings,
            out=self._out,
        )
        self.uplink = Uplink(self.queues, self.timers, self.faults, settings, self._out)
        self.methods = HubMethods(self.sessions, self.timers, self._out)
        self.links = Links(
            sessions=self.sessions,
            delivery=self.delivery,
            methods=self.methods,
            timers=self.timers,
            settings=settings,
            out=self._out,
        )
        self.intake = Intake(
            routes=routes,
            next_seq=next_seq,
            queues=self.queues,
            sessions=self.sessions,
            timers=self.timers,
            faults=self.faults,
            settings=settings,
            counters=self.counters,
            pump=self._pump,
            out=self._out,
        )
        self.twin_requests = TwinRequests(self.twins, self.timers, settings, self.counters, self._out)

    def take_effects(self) -> list[Effect]:
        effects = self._out[:]
        self._out.clear()
        return effects

    @property
    def next_at(self) -> float | None:
        return self.timers.next_at

    def tick(self, now: float) -> None:
        self.timers.run(now)

    def restore(self, now: float, waiting: Iterable[tuple[int, int, Sequence[CopyTarget]]]) -> None:
        """Messages (seq, size, targets) that a former hub process accepted and did not deliver."""
        for seq, size, targets in waiting:
            kept = [target for target in targets if self._routed(target.endpoint)]
            for target in targets:
                if target not in kept:
                    self.counters.dropped_queue_removed += 1
                    self._out.append(Settle(seq, target.endpoint))
            if kept:
                self.queues.add(seq, size, kept)
        self.pump_all(now)
        self.timers.at(now + self.settings.cleanup_interval_s, self._clean_up)

    def pump_all(self, now: float) -> None:
        for endpoint in list(self.queues.by_endpoint):
            self._pump(now, endpoint)

    def subscribe(self, now: float, link: ClientLink, packet_id: int, filters: Sequence[tuple[str, int]]) -> None:
        session = link.session
        before = dict(session.filters)
        session.subscribe(filters)
        self._out.append(Send(link.id, SubAck(packet_id, tuple(min(qos, 1) for _, qos in filters))))
        if session.persistent and before != session.filters:
            self._out.append(SaveSession(session.client_id))
        if session.link is link:
            self.methods.flush(now, session.owner)
            self.delivery.pump_owner(now, session.owner)

    def unsubscribe(self, link: ClientLink, packet_id: int, filters: Sequence[str]) -> None:
        link.session.unsubscribe(filters)
        self._out.append(Send(link.id, UnsubAck(packet_id)))
        if link.session.persistent:
            self._out.append(SaveSession(link.session.client_id))

    def publish(self, now: float, link: ClientLink, packet_id: int, message: Message, *, dup: bool) -> None:
        """A message for the routes. ``packet_id`` 0: QoS 0, nobody waits for an acknowledgement."""
        if self.intake.publish(now, link, packet_id, message, dup=dup) and self.faults.drop_now():
            self.links.drain(now, link)

    def drop(self, now: float, link: ClientLink, packet_id: int, reason: str, **facts: object) -> None:
        """A publish that goes nowhere: read, acknowledged, counted, said; never a reason to close.

        docs/edgehub-facts.md, Abrupt close, has the reason.
        """
        if link.draining:
            return
        name = f"dropped_{reason}"
        setattr(self.counters, name, getattr(self.counters, name) + 1)
        self._out.append(
            Note("warning", "message_dropped", {"client": link.session.client_id, "reason": reason} | facts)
        )
        self.intake.acknowledge(now, link, packet_id)

    def acknowledged(self, now: float, link: ClientLink, packet_id: int) -> None:
        if self.delivery.acknowledged(now, link, packet_id):
            self.intake.made_room(now)

    def unsendable(self, now: float, endpoint: str, seq: int, reason: str) -> None:
        """A stored message cannot go out (its bytes are gone, its topic is too long)."""
        self.counters.dropped_unsendable += 1
        self._out.append(Note("error", "message_unsendable", {"endpoint": endpoint, "seq": seq, "reason": reason}))
        self.delivery.skip(now, endpoint)

    def report(self, now: float, link: ClientLink, rid: str | None, body: bytes) -> None:
        """A module's patch of its reported properties; what changed is a message, too."""
        notification = self.twin_requests.report(now, link, rid, body)
        if notification is not None:
            self.intake.accept(now, None, 0, notification)

    def method_answered(self, link: ClientLink, rid: str | None, status: int | None, body: bytes) -> None:
        if status is None or not self.methods.answered(link, rid, status, body):
            self.counters.methods_unmatched += 1

    def push_desired(self, owner: str, patch: JsonObject) -> None:
        """Tell the client, if it is there and asked to be told; never queued (5.1)."""
        session = self.sessions.of(owner)
        if session is None or session.link is None or not session.wants_desired or not session.link.open:
            return
        version = self.twins.get(owner).desired_version
        body = encode_json({**patch, "$version": version})
        packet_id = session.next_packet_id(session.link.deliveries)
        self._out.append(Send(session.link.id, Publish(desired_patch_topic(version), body, 1, packet_id)))

    def twin_changed(self, owner: str, patch: JsonObject | None) -> None:
        self._out.append(SaveTwin(owner))
        if patch is not None:
            self.push_desired(owner, patch)

    def report_own(self, now: float, module: str, patch: JsonObject) -> None:
        """What the hub itself reports as `$edgeHub` and `$edgeAgent`; no message is made of it."""
        self.twins.report_own(now, module, patch)
        self._out.append(SaveTwin(module))

    def remove_owner(self, now: float, owner: str) -> None:
        """An identity that is no more: its link, session, twin and waiting messages."""
        session = self.sessions.of(owner)
        if session is not None:
            if session.link is not None:
                self.links.drain(now, session.link)
            session.persistent = False
            self.sessions.by_client.pop(session.client_id, None)
            self._out.append(SaveSession(session.client_id))
        for endpoint in list(self.queues.by_endpoint):
            if endpoint != UPSTREAM and endpoint_owner(endpoint) == owner:
                self.counters.dropped_queue_removed += self.delivery.remove(endpoint)
        self.twins.by_owner.pop(owner, None)

    def set_routes(self, now: float, routes: Routing, *, max_stored_bytes: int | None = None) -> None:
        """From now on. An endpoint that no route names any more loses its queue."""
        self.intake.max_stored_bytes = max_stored_bytes or self.settings.max_stored_bytes
        self.intake.routes = routes
        for endpoint in list(self.queues.by_endpoint):
            if not self._routed(endpoint):
                gone = self.delivery.remove(endpoint)
                self.counters.dropped_queue_removed += gone
        self.intake.made_room(now)

    def misbehave(self, now: float, settings: Misbehaviour) -> None:
        self.faults.set(settings)
        self.uplink.pump(now)
        self.pump_all(now)

    def upstream_stored(self, now: float, *, ok: bool) -> None:
        self.uplink.stored(now, ok=ok)
        self.intake.made_room(now)

    def _routed(self, endpoint: str) -> bool:
        """What waits for the cloud is kept even when no route leads there any more: it was promised to go.

        Cloud-to-device messages need no route.
        """
        return endpoint == UPSTREAM or is_devicebound(endpoint) or endpoint in self.intake.routes.endpoints

    def _pump(self, now: float, endpoint: str) -> None:
        if endpoint == UPSTREAM:
            self.uplink.pump(now)
        else:
            self.delivery.pump(now, endpoint)

    def _clean_up(self, now: float) -> None:
        for endpoint, queue in list(self.queues.by_endpoint.items()):
            for copy in queue.sweep(now):
                queue.expired += 1
                self.queues.release(copy)
                self._out.append(Settle(copy.held.seq, endpoint))
        self.intake.made_room(now)
        self.timers.at(now + self.settings.cleanup_interval_s, self._clean_up)
