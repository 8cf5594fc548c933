"""Who is connected, and what each client id has subscribed to, across links and hub restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from vigie_edgehub.message import Message
from vigie_edgehub.mqtt.topics import Subscription, subscription_of
from vigie_edgehub.owner import client_id, owner_of

_MESSAGES = frozenset({Subscription.INPUTS, Subscription.DEVICEBOUND})

MAX_FILTERS = 64


class StoredSession(msgspec.Struct, frozen=True):
    """What of a session outlives the hub."""

    client_id: str
    module: str | None
    filters: dict[str, int]


class MqttSession:
    """One client id. ``module`` is None for a client that is a whole device; ``owner`` as in `hub.owner`."""

    def __init__(self, client_id: str, module: str | None, owner: str, filters: dict[str, int] | None = None) -> None:
        self.client_id = client_id
        self.device = client_id.partition("/")[0]
        self.module = module
        self.owner = owner
        self.filters: dict[str, int] = {}
        for topic_filter, qos in (filters or {}).items():  # a version before the bound may have stored anything
            self._keep(topic_filter, qos)
        self.persistent = True
        self.link: ClientLink | None = None
        self.messages_held_until = 0.0
        self.methods_held_until = 0.0
        self.connection_changed_at = 0.0
        self.last_activity_at = 0.0
        self.unacknowledged: dict[int, int] = {}  # packet id -> content hash: stored, PUBACK never left
        self._next_packet_id = 0
        self._read_filters()

    def _read_filters(self) -> None:
        kinds = {self._kind(topic_filter) for topic_filter in self.filters}
        self.wants_messages = not kinds.isdisjoint(_MESSAGES)
        self.wants_methods = Subscription.METHODS in kinds
        self.wants_desired = Subscription.DESIRED in kinds

    def _kind(self, topic_filter: str) -> Subscription | None:
        return subscription_of(topic_filter, self.device, self.module)

    def subscribe(self, filters: Iterable[tuple[str, int]]) -> None:
        for topic_filter, qos in filters:
            self._keep(topic_filter, qos)
            # A repeated SUBSCRIBE says that a handler is there, as much as a first one does.
            kind = self._kind(topic_filter)
            if kind in _MESSAGES:
                self.messages_held_until = 0.0
            elif kind is Subscription.METHODS:
                self.methods_held_until = 0.0
        self._read_filters()

    def _keep(self, topic_filter: str, qos: int) -> None:
        """Only what means something here, and no more than a client can want: it is stored, and kept in memory."""
        known = topic_filter in self.filters or len(self.filters) < MAX_FILTERS
        if known and self._kind(topic_filter) is not None:
            self.filters[topic_filter] = min(qos, 1)

    def unsubscribe(self, filters: Iterable[str]) -> None:
        for topic_filter in filters:
            self.filters.pop(topic_filter, None)
        self._read_filters()

    def next_packet_id(self, taken: dict[int, Any]) -> int:
        """1..65535, round and round, past those that wait for a PUBACK."""
        while True:
            self._next_packet_id = self._next_packet_id % 65_535 + 1
            if self._next_packet_id not in taken:
                return self._next_packet_id

    def stored(self) -> StoredSession:
        return StoredSession(self.client_id, self.module, dict(self.filters))


class ClientLink:
    """One connection, from its accepted CONNECT to its end."""

    def __init__(self, link_id: int, session: MqttSession, *, keep_alive_s: int, now: float) -> None:
        self.id = link_id
        self.session = session
        self.keep_alive_s = keep_alive_s
        self.last_seen = now
        self.draining = False
        self.drain_since = 0.0
        self.deliveries: dict[int, str] = {}  # packet id -> the endpoint that waits for its PUBACK
        self.parked: list[Parked] = []  # publishes without room, in order
        self.delayed_acks: dict[int, int] = {}  # packet id -> content hash
        self.ack_at = 0.0
        self.sized: tuple[object, object, int] = (None, None, 0)  # the last properties, and their bytes
        self.twin_gets_at = 0.0  # when the next twin GET may be answered

    @property
    def open(self) -> bool:
        """Deliveries and acknowledgements may go out."""
        return not self.draining


class Parked(msgspec.Struct, frozen=True, gc=False):
    """A publish that waits, unacknowledged, for room in the store."""

    packet_id: int
    message: Message


class Sessions:
    """All client ids ever seen, and the links of today."""

    def __init__(self, device_id: str, stored: Iterable[StoredSession] = ()) -> None:
        self.device_id = device_id
        self.by_client: dict[str, MqttSession] = {}
        self.links: dict[int, ClientLink] = {}
        for one in stored:
            self.new(one.client_id, one.module, one.filters)

    def new(self, client: str, module: str | None, filters: dict[str, int] | None = None) -> MqttSession:
        owner = owner_of(client.partition("/")[0], module, self.device_id)
        session = self.by_client[client] = MqttSession(client, module, owner, filters)
        return session

    def of(self, owner: str) -> MqttSession | None:
        return self.by_client.get(client_id(owner, self.device_id))

    def link_of(self, owner: str) -> ClientLink | None:
        session = self.of(owner)
        return session.link if session is not None else None
