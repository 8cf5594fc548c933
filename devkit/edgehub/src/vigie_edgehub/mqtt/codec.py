"""Packets to bytes: `encode`. Bytes to packets, in whatever pieces a socket hands over: `PacketReader`.

Source: MQTT 3.1.1 (OASIS, 2014); clause numbers in the refusals are its normative statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any

from vigie_edgehub.mqtt import bodies
from vigie_edgehub.mqtt.bodies import MalformedPacket
from vigie_edgehub.mqtt.packets import (
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
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
)

__all__ = ["HARD_CAP_BYTES", "MAX_PUBLISH_BYTES", "MalformedPacket", "PacketReader", "encode"]

MAX_PUBLISH_BYTES = 262_144 + 65_535 + 4
"""Largest PUBLISH that can hold a message within edgeHub's 262,144 bytes of body and properties.

Properties travel percent-encoded in the topic, never shorter than they count, so anything above
this is over the limit whatever it holds; anything below is for the hub's own arithmetic to judge."""

HARD_CAP_BYTES = 16 * 1024 * 1024
"""A PUBLISH up to this size is read and skipped; above it the sender is not an IoT client."""

_MAX_CONTROL_BYTES = 128 * 1024  # CONNECT, SUBSCRIBE, UNSUBSCRIBE: a token and some topics, with room
MAX_CONNECT_BYTES = 8 * 1024
"""A client id, a user name and a token: edgeHub's clients send less than 1 KiB."""

_CONNECT = 0x10
_PUBLISH = 3
_U16 = Struct(">H")

# type -> (the flags its header must have, remaining length exactly or None, decoder of the body)
_DECODERS: dict[int, tuple[int, int | None, Callable[[bytes], Packet]]] = {
    1: (0, None, bodies.decode_connect),
    2: (0, 2, bodies.decode_connack),
    4: (0, 2, lambda body: PubAck(bodies.packet_id(body))),
    5: (0, 2, lambda body: PubRec(bodies.packet_id(body))),
    6: (2, 2, lambda body: PubRel(bodies.packet_id(body))),
    7: (0, 2, lambda body: PubComp(bodies.packet_id(body))),
    8: (2, None, bodies.decode_subscribe),
    9: (0, None, bodies.decode_suback),
    10: (2, None, bodies.decode_unsubscribe),
    11: (0, 2, lambda body: UnsubAck(bodies.packet_id(body))),
    12: (0, 0, lambda _: PingReq()),
    13: (0, 0, lambda _: PingResp()),
    14: (0, 0, lambda _: Disconnect()),
}


class PacketReader:
    """Incremental decoder of one direction of one connection.

    ``feed`` what was read, then drain ``packets()``; what is buffered between two reads is at most one
    packet that is still allowed to grow, because type, flags and length are judged as soon as the header
    is there. After a `MalformedPacket` the stream has no more boundaries: every later call raises it again.
    """

    def __init__(self, *, max_publish_bytes: int = MAX_PUBLISH_BYTES, hard_cap_bytes: int = HARD_CAP_BYTES) -> None:
        """Limits count the remaining length of the fixed header, as MQTT calls what follows it.

        Args: max_publish_bytes: larger ones come out as `Oversize`. hard_cap_bytes: larger ones are malformed.
        """
        self._max_publish_bytes = max_publish_bytes
        self._hard_cap_bytes = hard_cap_bytes
        self._buffer = bytearray()
        self._offset = 0
        self._skipping: Oversize | None = None
        self._skip_bytes = 0
        self._broken: MalformedPacket | None = None

    @property
    def buffered_bytes(self) -> int:
        """What waits for more input, or for ``packets()`` to be called."""
        return len(self._buffer) - self._offset

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take ``data`` (copied, not kept). Nothing is decoded yet, so nothing is refused yet."""
        if self._broken is not None:
            return
        if self._skip_bytes and not self._buffer:
            skipped = min(self._skip_bytes, len(data))
            self._skip_bytes -= skipped
            data = memoryview(data)[skipped:]
        self._buffer += data

    def check_opening(self) -> None:
        """Before a CONNECT was accepted: what comes must be one, and no larger than it can be.

        Raises: MalformedPacket: as soon as the first bytes show it.
        """
        if self._broken is not None:
            raise self._broken
        head = self._buffer[self._offset : self._offset + 5]
        if head and head[0] != _CONNECT:
            raise MalformedPacket("the first packet is not CONNECT [MQTT-3.1.0-1]")
        remaining = 0
        for shift, byte in enumerate(head[1:]):
            remaining |= (byte & 0x7F) << 7 * shift
            if remaining > MAX_CONNECT_BYTES:
                raise MalformedPacket(f"CONNECT of more than {MAX_CONNECT_BYTES} bytes")
            if not byte & 0x80:
                break

    def packets(self) -> Iterator[Packet | Oversize]:
        """Every complete packet so far, oldest first. Raises: MalformedPacket."""
        if self._broken is not None:
            raise self._broken
        try:
            while (packet := self._next()) is not None:
                yield packet
            if self._offset:  # once per drained read, so that the cost is not per packet
                del self._buffer[: self._offset]
                self._offset = 0
        except MalformedPacket as refusal:
            self._broken = refusal
            self._buffer = bytearray()
            self._offset = 0
            raise

    def _next(self) -> Packet | Oversize | None:
        if self._skipping is not None:
            return self._finish_skipping()
        buffer = self._buffer
        start = self._offset
        available = len(buffer) - start
        if available < 2:
            return None
        first = buffer[start]
        remaining = buffer[start + 1]
        body = start + 2
        if remaining & 0x80:
            remaining &= 0x7F
            for shift in (7, 14, 21):
                if body >= len(buffer):
                    return None
                byte = buffer[body]
                body += 1
                remaining |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
            else:
                raise MalformedPacket("remaining length takes more than four bytes [2.2.3]")
        if first >> 4 == _PUBLISH:
            return self._publish(first, body, remaining)
        return self._control(first, body, remaining)

    def _publish(self, first: int, body: int, remaining: int) -> Packet | Oversize | None:  # noqa: C901 - the hot path
        qos = (first >> 1) & 3
        if qos == 3:
            raise MalformedPacket("PUBLISH with QoS 3 [MQTT-3.3.1-4]")
        dup = bool(first & 8)
        if dup and not qos:
            raise MalformedPacket("PUBLISH with DUP and QoS 0 [MQTT-3.3.1-2]")
        buffer = self._buffer
        end = body + remaining
        oversize = remaining > self._max_publish_bytes
        if not oversize and len(buffer) < end:
            return None
        if remaining > self._hard_cap_bytes:
            raise MalformedPacket(f"PUBLISH of {remaining} bytes; the most this hub reads is {self._hard_cap_bytes}")
        if remaining < 2:
            raise MalformedPacket("PUBLISH ends inside its topic or packet id")
        if len(buffer) < body + 2:
            return None
        payload = body + 2 + (buffer[body] << 8 | buffer[body + 1])
        packet_id = 0
        head = payload + 2 if qos else payload
        if head > end:
            raise MalformedPacket("PUBLISH ends inside its topic or packet id")
        if len(buffer) < head:
            return None
        topic = bodies.topic_name(buffer[body + 2 : payload])
        if qos:
            packet_id = buffer[payload] << 8 | buffer[payload + 1]
            if not packet_id:
                raise MalformedPacket("PUBLISH with packet id 0 [MQTT-2.3.1-1]")
        if oversize:
            self._skipping = Oversize(topic, qos, packet_id, end - head, dup)
            self._skip_bytes = end - head
            self._offset = head
            return self._finish_skipping()
        self._offset = end
        return Publish(topic, bytes(memoryview(buffer)[head:end]), qos, packet_id, dup, bool(first & 1))

    def _control(self, first: int, body: int, remaining: int) -> Packet | None:
        kind = _DECODERS.get(first >> 4)
        if kind is None:
            raise MalformedPacket(f"packet type {first >> 4} is reserved [2.2.1]")
        flags, length, decode = kind
        if first & 0x0F != flags:
            raise MalformedPacket(f"packet type {first >> 4} with flags {first & 0x0F:#x} [MQTT-2.2.2-2]")
        if length is not None and remaining != length:
            raise MalformedPacket(f"packet type {first >> 4} of {remaining} bytes, expected {length}")
        if remaining > _MAX_CONTROL_BYTES:
            raise MalformedPacket(f"packet type {first >> 4} of {remaining} bytes; at most {_MAX_CONTROL_BYTES}")
        end = body + remaining
        if len(self._buffer) < end:
            return None
        self._offset = end
        return decode(bytes(self._buffer[body:end]))

    def _finish_skipping(self) -> Oversize | None:
        here = min(self._skip_bytes, len(self._buffer) - self._offset)
        self._offset += here
        self._skip_bytes -= here
        if self._skip_bytes:
            return None
        skipped, self._skipping = self._skipping, None
        return skipped


def encode(packet: Packet) -> bytes:
    """``packet`` as it goes on the wire. Raises: ValueError: a field that MQTT cannot carry."""
    if type(packet) is Publish:  # first, and written out: it is nearly all of a hub's traffic
        topic = packet.topic.encode()
        if len(topic) > 65_535:
            raise ValueError(f"topic of {len(topic)} bytes; MQTT has room for 65535")
        flags = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
        if packet.qos:
            return b"".join(
                (
                    _header(flags, len(topic) + 4 + len(packet.payload)),
                    _U16.pack(len(topic)),
                    topic,
                    _id(packet.packet_id),
                    packet.payload,
                )
            )
        return b"".join(
            (_header(flags, len(topic) + 2 + len(packet.payload)), _U16.pack(len(topic)), topic, packet.payload)
        )
    return _ENCODERS[type(packet)](packet)


def _header(first: int, remaining: int) -> bytes:
    if remaining < 0x80:
        return bytes((first, remaining))
    if remaining < 0x4000:
        return bytes((first, remaining & 0x7F | 0x80, remaining >> 7))
    if remaining < 0x20_0000:
        return bytes((first, remaining & 0x7F | 0x80, remaining >> 7 & 0x7F | 0x80, remaining >> 14))
    if remaining < 0x1000_0000:
        return bytes(
            (
                first,
                remaining & 0x7F | 0x80,
                remaining >> 7 & 0x7F | 0x80,
                remaining >> 14 & 0x7F | 0x80,
                remaining >> 21,
            )
        )
    raise ValueError(f"packet of {remaining} bytes; MQTT has room for 268435455")


def _id(packet_id: int) -> bytes:
    if not 0 < packet_id < 0x1_0000:
        raise ValueError(f"packet id {packet_id}, expected 1..65535")
    return _U16.pack(packet_id)


def _with_id(first: int) -> Callable[[Any], bytes]:
    head = bytes((first, 2))
    return lambda packet: head + _id(packet.packet_id)


def _with_body(first: int, body_of: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def encode_packet(packet: Any) -> bytes:
        body = body_of(packet)
        return _header(first, len(body)) + body

    return encode_packet


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Connect: _with_body(0x10, bodies.encode_connect),
    ConnAck: lambda packet: bytes((0x20, 2, packet.session_present, packet.return_code)),
    PubAck: _with_id(0x40),
    PubRec: _with_id(0x50),
    PubRel: _with_id(0x62),
    PubComp: _with_id(0x70),
    Subscribe: _with_body(0x82, lambda packet: _id(packet.packet_id) + bodies.encode_filters(packet.filters)),
    SubAck: _with_body(0x90, lambda packet: _id(packet.packet_id) + bytes(packet.return_codes)),
    Unsubscribe: _with_body(0xA2, lambda packet: _id(packet.packet_id) + b"".join(map(bodies.text, packet.filters))),
    UnsubAck: _with_id(0xB0),
    PingReq: lambda _: b"\xc0\x00",
    PingResp: lambda _: b"\xd0\x00",
    Disconnect: lambda _: b"\xe0\x00",
}
