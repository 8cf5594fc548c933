"""What follows the fixed header of each packet: strict decoding, and encoding of the rarer ones.

Every length is checked against what is there before it is used; nothing may trail behind the last field.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from vigie_edgehub.mqtt.packets import ConnAck, Connect, SubAck, Subscribe, Unsubscribe, Will

_U16 = Struct(">H")


class MalformedPacket(Exception):  # noqa: N818 - MQTT's own word for it
    """Bytes that are not MQTT 3.1.1; the connection they came by can only be closed."""

    def __init__(self, reason: str) -> None:
        """``reason``: what was there, and the clause it breaks."""
        super().__init__(reason)
        self.reason = reason


class _Fields:
    """A cursor over one body."""

    def __init__(self, body: bytes, packet: str) -> None:
        self._body = body
        self._packet = packet
        self._at = 0

    def take(self, count: int, what: str) -> bytes:
        end = self._at + count
        if end > len(self._body):
            raise MalformedPacket(f"{self._packet} ends inside its {what}")
        taken = self._body[self._at : end]
        self._at = end
        return taken

    def byte(self, what: str) -> int:
        return self.take(1, what)[0]

    def u16(self, what: str) -> int:
        value: int = _U16.unpack(self.take(2, what))[0]
        return value

    def blob(self, what: str) -> bytes:
        return self.take(self.u16(what), what)

    def text(self, what: str) -> str:
        return utf8(self.blob(what), f"{self._packet} {what}")

    @property
    def more(self) -> bool:
        return self._at < len(self._body)

    def finish(self) -> None:
        if self.more:
            raise MalformedPacket(f"{self._packet} with {len(self._body) - self._at} bytes behind its last field")


def utf8(raw: bytes | bytearray, what: str) -> str:
    """Strict: no surrogates, no overlong forms [MQTT-1.5.3-1], no U+0000 [MQTT-1.5.3-2]."""
    try:
        value = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPacket(f"{what} is not UTF-8 at byte {error.start} [MQTT-1.5.3-1]") from error
    if "\x00" in value:
        raise MalformedPacket(f"{what} holds U+0000 [MQTT-1.5.3-2]")
    return value


def topic_name(raw: bytes | bytearray) -> str:
    topic = utf8(raw, "PUBLISH topic")
    if not topic:
        raise MalformedPacket("PUBLISH with an empty topic [MQTT-4.7.3-1]")
    if "#" in topic or "+" in topic:
        raise MalformedPacket("PUBLISH topic with a wildcard [MQTT-3.3.2-2]")
    return topic


def packet_id(body: bytes) -> int:
    value: int = _U16.unpack_from(body)[0]
    if not value:
        raise MalformedPacket("packet id 0 [MQTT-2.3.1-1]")
    return value


def decode_connect(body: bytes) -> Connect:
    fields = _Fields(body, "CONNECT")
    protocol = fields.text("protocol name")
    level = fields.byte("protocol level")
    if protocol != "MQTT" or level != 4:
        raise MalformedPacket(f"protocol {protocol!r} level {level}; this hub speaks MQTT 3.1.1 ('MQTT' level 4)")
    flags = fields.byte("connect flags")
    if flags & 1:
        raise MalformedPacket("CONNECT with the reserved flag set [MQTT-3.1.2-3]")
    has_will, will_qos, will_retain = bool(flags & 4), flags >> 3 & 3, bool(flags & 0x20)
    if will_qos == 3 or (not has_will and (will_qos or will_retain)):
        raise MalformedPacket("CONNECT with will flags that make no will [MQTT-3.1.2-11..15]")
    if flags & 0x40 and not flags & 0x80:
        raise MalformedPacket("CONNECT with a password but no user name [MQTT-3.1.2-22]")
    keep_alive_s = fields.u16("keep alive")
    client_id = fields.text("client id")
    will = None
    if has_will:
        will = Will(fields.text("will topic"), fields.blob("will payload"), will_qos, will_retain)
    username = fields.text("user name") if flags & 0x80 else None
    password = fields.blob("password") if flags & 0x40 else None
    fields.finish()
    return Connect(client_id, username, password, keep_alive_s, bool(flags & 2), will)


def encode_connect(packet: Connect) -> bytes:
    flags = packet.clean_session << 1
    parts = [b"\x00\x04MQTT\x04", b"", _U16.pack(packet.keep_alive_s), text(packet.client_id)]
    if packet.will is not None:
        flags |= 4 | packet.will.qos << 3 | packet.will.retain << 5
        parts += [text(packet.will.topic), _blob(packet.will.payload)]
    if packet.username is not None:
        flags |= 0x80
        parts.append(text(packet.username))
    if packet.password is not None:
        if packet.username is None:
            raise ValueError("a CONNECT with a password needs a user name [MQTT-3.1.2-22]")
        flags |= 0x40
        parts.append(_blob(packet.password))
    parts[1] = bytes((flags,))
    return b"".join(parts)


def decode_connack(body: bytes) -> ConnAck:
    if body[0] & 0xFE:
        raise MalformedPacket("CONNACK with reserved flags [3.2.2.1]")
    return ConnAck(bool(body[0]), body[1])


def decode_subscribe(body: bytes) -> Subscribe:
    fields = _Fields(body, "SUBSCRIBE")
    identifier = packet_id(fields.take(2, "packet id"))
    filters = []
    while fields.more:
        topic_filter = fields.text("topic filter")
        qos = fields.byte("requested QoS")
        if not topic_filter or qos > 2:
            raise MalformedPacket(f"SUBSCRIBE to {topic_filter!r} with QoS {qos} [MQTT-4.7.3-1, MQTT-3.8.3-4]")
        filters.append((topic_filter, qos))
    if not filters:
        raise MalformedPacket("SUBSCRIBE without a topic filter [MQTT-3.8.3-3]")
    return Subscribe(identifier, tuple(filters))


def decode_suback(body: bytes) -> SubAck:
    fields = _Fields(body, "SUBACK")
    identifier = packet_id(fields.take(2, "packet id"))
    codes = tuple(body[2:])
    if not codes or any(code > 2 and code != 0x80 for code in codes):
        raise MalformedPacket(f"SUBACK with return codes {codes} [MQTT-3.9.3-2]")
    return SubAck(identifier, codes)


def decode_unsubscribe(body: bytes) -> Unsubscribe:
    fields = _Fields(body, "UNSUBSCRIBE")
    identifier = packet_id(fields.take(2, "packet id"))
    filters = []
    while fields.more:
        topic_filter = fields.text("topic filter")
        if not topic_filter:
            raise MalformedPacket("UNSUBSCRIBE from an empty filter [MQTT-4.7.3-1]")
        filters.append(topic_filter)
    if not filters:
        raise MalformedPacket("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]")
    return Unsubscribe(identifier, tuple(filters))


def encode_filters(filters: Iterable[tuple[str, int]]) -> bytes:
    return b"".join(text(topic_filter) + bytes((qos,)) for topic_filter, qos in filters)


def text(value: str) -> bytes:
    return _blob(value.encode())


def _blob(value: bytes) -> bytes:
    if len(value) > 65_535:
        raise ValueError(f"a field of {len(value)} bytes; MQTT has room for 65535")
    return _U16.pack(len(value)) + value
