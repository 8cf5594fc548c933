"""What clients send: packets become events of the rules."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Callable
from typing import Any

from vigie.log import get_logger
from vigie_edgehub.message import Message
from vigie_edgehub.mqtt.codec import MalformedPacket, encode
from vigie_edgehub.mqtt.packets import (
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    ConnAck,
    Connect,
    Disconnect,
    Oversize,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscribe,
    Unsubscribe,
)
from vigie_edgehub.mqtt.system_properties import CONNECTION_DEVICE_ID, CONNECTION_MODULE_ID
from vigie_edgehub.mqtt.topics import (
    MethodAnswer,
    Telemetry,
    TopicRefused,
    TwinGet,
    TwinReport,
    parse_inbound,
)
from vigie_edgehub.shell.admission import Admission, AdmissionRefusedError
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.connection import Connection
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.sessions import ClientLink

log = get_logger("hub")
_PACKETS_A_TURN = 200
"""So many packets of one connection, then others have their turn: one read may hold 100,000 PINGREQs."""

_UNREAD_BYTES = 64 * 1024
"""A client that does not take this much gets no PINGRESPs: they would pile up here."""


class Broker:
    """Runs in one event loop: packets become events of the rules, then `Performer` does what they want."""

    def __init__(self, state: HubState, performer: Performer, admission: Admission, clock: Clock) -> None:
        self.state = state
        self.connections: dict[int, Connection] = performer.connections
        self.accepting = True
        self._performer = performer
        self._admission = admission
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._closed = asyncio.Event()
        self._ids = itertools.count(1)
        self._keys = itertools.count(1)
        self._key_prefix = str(uuid.uuid4())[:24]
        self._handlers: dict[type, Callable[[float, Connection, Any], None]] = {
            Publish: self._publish,
            PubAck: self._puback,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            PingReq: self._pingreq,
            Disconnect: lambda _now, connection, _packet: connection.close(),
            Oversize: self._oversize,
            PubRel: lambda _now, connection, packet: self._say(connection, PubComp(packet.packet_id)),
        }

    def new_connection(self) -> Connection:
        return Connection(self, next(self._ids))

    def opened(self, connection: Connection) -> None:
        self.connections[connection.id] = connection
        self._loop.call_later(self.state.settings.connect_within_s, self._still_silent, connection)

    def received(self, connection: Connection, data: bytes) -> None:
        now = self._clock.now()
        link = connection.link
        if link is not None:
            link.last_seen = link.session.last_activity_at = now
        connection.reader.feed(data)
        self._take_turn(connection)

    def _take_turn(self, connection: Connection) -> None:
        """Handle what was read, and go on with the rest in another turn of the loop."""
        if connection.id not in self.connections:
            return
        now = self._clock.now()
        more = False
        try:
            if connection.link is None:
                connection.reader.check_opening()
            for count, packet in enumerate(connection.reader.packets(), 1):
                self._packet(now, connection, packet)
                if count == _PACKETS_A_TURN:
                    more = True
                    break
        except MalformedPacket as refusal:
            log.warning("packet_malformed", peer=connection.peer, reason=str(refusal))
            connection.close()
        self._performer.run()
        connection.flush()
        if more:
            if not connection.paused:
                connection.paused = True
                connection.pause()
            self._loop.call_soon(self._take_turn, connection)
        elif connection.paused:
            connection.paused = False
            connection.resume()

    def closed(self, connection: Connection, error: Exception | None) -> None:
        self.connections.pop(connection.id, None)
        self._closed.set()
        self._closed.clear()
        link, connection.link = connection.link, None
        if link is not None:
            self._say_closed(link, str(error or ""))
            self.state.links.lost(self._clock.now(), link.id)
            self._performer.run()

    def _say_closed(self, link: ClientLink, reason: str) -> None:
        """After a take-over the last word is who is connected, not that somebody went."""
        now = link.session.link
        if now is None or now is link or now.id not in self.connections:
            log.info("client_disconnected", client=link.session.client_id, reason=reason)
            return
        peer = self.connections[now.id].peer
        log.info("former_connection_closed", client=link.session.client_id, connected_from=peer)

    async def next_close(self, at_most_s: float) -> None:
        """Wait until a connection ends, or for ``at_most_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._closed.wait()

    def _still_silent(self, connection: Connection) -> None:
        if connection.id in self.connections and connection.link is None:
            connection.close()

    def _packet(self, now: float, connection: Connection, packet: Packet | Oversize) -> None:
        if connection.link is None:
            if type(packet) is Connect and self.accepting:
                self._connect(now, connection, packet)
            else:
                connection.close()
            return
        handler = self._handlers.get(type(packet))
        if handler is None:
            log.warning("packet_unexpected", client=connection.link.session.client_id, packet=type(packet).__name__)
            connection.close()
            return
        handler(now, connection, packet)

    def _connect(self, now: float, connection: Connection, packet: Connect) -> None:
        try:
            admitted = self._admission.check(packet, now)
        except AdmissionRefusedError as refusal:
            self.state.counters.refused_connects += 1
            log.warning("connect_refused", peer=connection.peer, client=packet.client_id, reason=str(refusal))
            self._refuse(connection, NOT_AUTHORIZED)
            return
        if len(self.state.sessions.links) >= self.state.settings.max_links:
            log.warning("connect_refused", client=packet.client_id, reason="too many connections")
            self._refuse(connection, SERVER_UNAVAILABLE)
            return
        if admitted.expires_at <= now:
            log.error("token_expired_accepted", client=packet.client_id, expired_s=round(now - admitted.expires_at))
        connection.link = self.state.links.connect(
            now,
            connection.id,
            packet.client_id,
            admitted.module,
            clean_session=packet.clean_session,
            keep_alive_s=packet.keep_alive_s,
            token_expires_at=admitted.expires_at,
        )
        connection.settled()
        log.info("client_connected", client=packet.client_id, agent=admitted.agent)

    def _refuse(self, connection: Connection, code: int) -> None:
        connection.out.append(encode(ConnAck(session_present=False, return_code=code)))
        connection.flush()
        connection.close()

    def _publish(self, now: float, connection: Connection, packet: Publish) -> None:
        link = connection.link
        assert link is not None  # noqa: S101 - `_packet` saw to it
        if packet.qos > 1:
            self._say(connection, PubRec(packet.packet_id))
            self.state.drop(now, link, 0, "qos2", topic=packet.topic[:120])
            return
        if packet.topic != connection.known_topic or packet.dup or packet.retain:
            try:
                inbound = parse_inbound(packet.topic)
            except TopicRefused as refusal:
                self.state.drop(now, link, packet.packet_id, "bad_topic", detail=refusal.reason)
                return
            if not isinstance(inbound, Telemetry):
                self._request(now, connection, packet, inbound)
                return
            if (inbound.device, inbound.module) != (link.session.device, link.session.module):
                detail = f"the topic names {inbound.device}/{inbound.module}, not the client itself"
                self.state.drop(now, link, packet.packet_id, "bad_topic", detail=detail)
                return
            self._learn(connection, packet, inbound)
        message = Message(
            key=f"{self._key_prefix}{next(self._keys):012x}",
            stored_at=now,
            source_module=link.session.module or "",
            output=connection.known_output,
            kind="Telemetry",
            system=connection.known_system,
            application=connection.known_application,
            body=packet.payload,
        )
        self.state.publish(now, link, packet.packet_id, message, dup=packet.dup)

    def _learn(self, connection: Connection, packet: Publish, telemetry: Telemetry) -> None:
        system = dict(telemetry.system_properties)
        system[CONNECTION_DEVICE_ID] = telemetry.device
        if telemetry.module is not None:
            system[CONNECTION_MODULE_ID] = telemetry.module
        application = dict(telemetry.app_properties)
        if packet.dup:
            application["mqtt-dup"] = "true"
        if packet.retain:
            application["mqtt-retain"] = "true"
        connection.known_topic = "" if packet.dup or packet.retain else packet.topic
        connection.known_system = system
        connection.known_application = application
        connection.known_output = telemetry.output

    def _request(
        self, now: float, connection: Connection, packet: Publish, inbound: TwinGet | TwinReport | MethodAnswer
    ) -> None:
        link = connection.link
        assert link is not None  # noqa: S101 - `_packet` saw to it
        if packet.packet_id:
            self._say(connection, PubAck(packet.packet_id))
        if isinstance(inbound, TwinGet):
            self.state.twin_requests.get(now, link, inbound.rid, inbound.resource)
        elif isinstance(inbound, TwinReport):
            self.state.report(now, link, inbound.rid, packet.payload)
        else:
            self.state.method_answered(link, inbound.rid, inbound.status, packet.payload)

    def _oversize(self, now: float, connection: Connection, packet: Oversize) -> None:
        link = connection.link
        assert link is not None  # noqa: S101 - `_packet` saw to it
        if packet.topic.startswith("$iothub/"):
            # A patch far beyond its limit: refused by its rid, as a smaller one would be.
            self._publish(now, connection, Publish(packet.topic, b"", min(packet.qos, 1), packet.packet_id))
            return
        self.state.drop(now, link, packet.packet_id, "too_large", size_bytes=packet.size_bytes)

    def _puback(self, now: float, connection: Connection, packet: PubAck) -> None:
        if connection.link is not None:
            self.state.acknowledged(now, connection.link, packet.packet_id)

    def _subscribe(self, now: float, connection: Connection, packet: Subscribe) -> None:
        if connection.link is not None:
            self.state.subscribe(now, connection.link, packet.packet_id, packet.filters)

    def _unsubscribe(self, _now: float, connection: Connection, packet: Unsubscribe) -> None:
        if connection.link is not None:
            self.state.unsubscribe(connection.link, packet.packet_id, packet.filters)

    def _pingreq(self, _now: float, connection: Connection, _packet: PingReq) -> None:
        if connection.unread_bytes < _UNREAD_BYTES:
            connection.out.append(encode(PingResp()))

    @staticmethod
    def _say(connection: Connection, packet: Packet) -> None:
        connection.out.append(encode(packet))
        connection.flush()
