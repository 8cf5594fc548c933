"""The packets of MQTT 3.1.1 as values; `codec` turns them into bytes and back.

msgspec structs instead of dataclasses: immutable and slotted alike, but built in a tenth of the time,
and a hub builds two for every message (ADR-0003). Packet ids are 1..65535 where a packet has one.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

ACCEPTED = 0
"""CONNACK: welcome."""
SERVER_UNAVAILABLE = 3
"""CONNACK: the one refusal after which the SDK keeps trying (docs/edgehub-facts.md, Refusals and retries)."""
NOT_AUTHORIZED = 5
"""CONNACK: the SDK gives up for good."""
"""SUBACK: this filter was not granted."""


class Will(msgspec.Struct, frozen=True, gc=False):
    """What the broker publishes for a client that vanishes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


class Connect(msgspec.Struct, frozen=True, gc=False):
    """First packet of a client. ``password`` is raw bytes, as MQTT has it; ``keep_alive_s`` 0 means none."""

    client_id: str
    username: str | None = None
    password: bytes | None = None
    keep_alive_s: int = 60
    clean_session: bool = False
    will: Will | None = None


class ConnAck(msgspec.Struct, frozen=True, gc=False):
    session_present: bool
    return_code: int


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message. ``packet_id`` is 0 exactly when ``qos`` is 0."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    dup: bool = False
    retain: bool = False


class Oversize(msgspec.Struct, frozen=True, gc=False):
    """A PUBLISH above the reader's limit, read to its end and not kept.

    Yielded after its last byte was received, so that the hub can acknowledge and drop it: closing the
    connection instead sends the SDK into a reconnect loop and then into a zombie (docs/edgehub-facts.md, Abrupt close).
    ``size_bytes`` is the payload's length. Only a reader makes these; they cannot be encoded.
    """

    topic: str
    qos: int
    packet_id: int
    size_bytes: int
    dup: bool


class PubAck(msgspec.Struct, frozen=True, gc=False):
    packet_id: int


class PubRec(msgspec.Struct, frozen=True, gc=False):
    """QoS 2, first answer. The dialect has no QoS 2; a hub may still see a stranger out politely."""

    packet_id: int


class PubRel(msgspec.Struct, frozen=True, gc=False):
    packet_id: int


class PubComp(msgspec.Struct, frozen=True, gc=False):
    packet_id: int


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """``filters``: (topic filter, requested QoS 0..2), at least one."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


class SubAck(msgspec.Struct, frozen=True, gc=False):
    """``return_codes``: granted QoS or 0x80 (refused), one per filter, in order."""

    packet_id: int
    return_codes: tuple[int, ...]


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    packet_id: int
    filters: tuple[str, ...]


class UnsubAck(msgspec.Struct, frozen=True, gc=False):
    packet_id: int


class PingReq(msgspec.Struct, frozen=True, gc=False):
    pass


class PingResp(msgspec.Struct, frozen=True, gc=False):
    pass


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    pass


Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
)
"""What can be encoded; a reader yields these and `Oversize`."""
