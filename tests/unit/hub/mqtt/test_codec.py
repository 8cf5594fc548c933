from __future__ import annotations

from typing import Any

import pytest

from vigie_edgehub.mqtt.codec import MalformedPacket, PacketReader, encode
from vigie_edgehub.mqtt.packets import ConnAck, Connect, Oversize, PingReq, PubAck, Publish, SubAck, Subscribe


def read(data: bytes, **limits: int) -> list[object]:
    reader = PacketReader(**limits)
    reader.feed(data)
    return list(reader.packets())


def head(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((kind, len(body))) + body


CONNECT_HEAD = b"\x00\x04MQTT\x04"


@pytest.mark.parametrize(
    ("packet", "wire"),
    [
        pytest.param(ConnAck(False, 0), b"\x20\x02\x00\x00", id="connack"),
        pytest.param(PubAck(10), b"\x40\x02\x00\x0a", id="puback"),
        pytest.param(Publish("a/b", b"hi", qos=1, packet_id=7), b"\x32\x09\x00\x03a/b\x00\x07hi", id="publish qos 1"),
        pytest.param(Publish("a/b", b"", retain=True), b"\x31\x05\x00\x03a/b", id="publish qos 0 retained"),
        pytest.param(Publish("t", b"", 2, 1, dup=True), b"\x3c\x05\x00\x01t\x00\x01", id="publish qos 2 dup"),
        pytest.param(Subscribe(1, (("a/#", 1),)), b"\x82\x08\x00\x01\x00\x03a/#\x01", id="subscribe"),
        pytest.param(SubAck(1, (1, 0x80)), b"\x90\x04\x00\x01\x01\x80", id="suback"),
        pytest.param(
            Connect("c", "u", b"p", keep_alive_s=60),
            b"\x10\x13" + CONNECT_HEAD + b"\xc0\x00\x3c\x00\x01c\x00\x01u\x00\x01p",
            id="connect as the SDK sends it: user name, password, no clean session",
        ),
    ],
)
def test_bytes_are_those_of_the_standard(packet: Any, wire: bytes) -> None:
    assert encode(packet) == wire
    assert read(wire) == [packet]


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\x00\x00", "type 0 is reserved"),
        (b"\xf0\x00", "type 15 is reserved"),
        (b"\x36\x05\x00\x01a\x00\x01", "QoS 3"),
        (b"\x38\x03\x00\x01a", "DUP and QoS 0"),
        (b"\x32\x05\x00\x01a\x00\x00", "packet id 0"),
        (b"\x30\x02\x00\x00", "empty topic"),
        (b"\x30\x03\x00\x01#", "wildcard"),
        (b"\x30\x03\x00\x01+", "wildcard"),
        (b"\x30\x03\x00\x01\x00", "U\\+0000"),
        (b"\x30\x05\x00\x03\xed\xa0\x80", "not UTF-8"),
        (b"\x30\x04\x00\x02\xc0\xaf", "not UTF-8"),
        (b"\x30\x01\x00", "ends inside its topic"),
        (b"\x30\x03\x00\x05a", "ends inside its topic"),
        (b"\x32\x03\x00\x01a", "packet id"),
        (b"\x30\xff\xff\xff\xff\x01", "more than four bytes"),
        (b"\x40\x03\x00\x01\x00", "of 3 bytes, expected 2"),
        (b"\x42\x02\x00\x01", "flags 0x2"),
        (b"\x40\x02\x00\x00", "packet id 0"),
        (b"\xc0\x01\x00", "of 1 bytes, expected 0"),
        (b"\x80\x06\x00\x01\x00\x01a\x00", "flags 0x0"),
        (b"\x82\x02\x00\x01", "without a topic filter"),
        (b"\x82\x06\x00\x01\x00\x01a\x03", "QoS 3"),
        (b"\x82\x05\x00\x01\x00\x01a", "ends inside its requested QoS"),
        (b"\xa2\x02\x00\x01", "without a topic filter"),
        (b"\x90\x03\x00\x01\x05", "return codes"),
        (head(0x10, b"\x00\x06MQIsdp\x03\x00\x00\x3c\x00\x01c"), "speaks MQTT 3.1.1"),
        (head(0x10, b"\x00\x04MQTT\x05\x00\x00\x3c\x00\x00\x01c"), "level 5"),
        (head(0x10, CONNECT_HEAD + b"\x01\x00\x3c\x00\x01c"), "reserved flag"),
        (head(0x10, CONNECT_HEAD + b"\x40\x00\x3c\x00\x01c\x00\x01p"), "password but no user name"),
        (head(0x10, CONNECT_HEAD + b"\x18\x00\x3c\x00\x01c"), "no will"),
        (head(0x10, CONNECT_HEAD + b"\x02\x00\x3c\x00\x01cX"), "behind its last field"),
        (head(0x10, CONNECT_HEAD + b"\x80\x00\x3c\x00\x01c"), "ends inside its user name"),
        (b"\x10\xff\xff\xff\x7f", "at most"),
    ],
)
def test_what_is_not_mqtt_is_refused_with_the_reason(wire: bytes, reason: str) -> None:
    with pytest.raises(MalformedPacket, match=reason):
        read(wire)


def test_packets_before_the_malformed_one_are_still_yielded_and_none_after() -> None:
    reader = PacketReader()
    reader.feed(encode(PubAck(1)) + b"\x00\x00" + encode(PubAck(2)))
    stream = reader.packets()
    assert next(stream) == PubAck(1)
    with pytest.raises(MalformedPacket):
        next(stream)
    reader.feed(encode(PubAck(3)))
    with pytest.raises(MalformedPacket):
        list(reader.packets())
    assert reader.buffered_bytes == 0


def test_a_length_that_is_refused_is_refused_before_its_bytes_arrive() -> None:
    with pytest.raises(MalformedPacket):
        read(b"\x40\xff\xff\x03")  # a PUBACK of 65,535 bytes
    with pytest.raises(MalformedPacket, match="the most this hub reads"):
        read(b"\x32\xff\xff\xff\x7f\x00\x01a", hard_cap_bytes=1_000_000)


@pytest.mark.parametrize("piece", [1, 3, 1_000, 1_000_000])
def test_an_oversize_publish_is_skipped_and_the_next_packet_is_read(piece: int) -> None:
    wire = encode(Publish("big", b"x" * 500_000, qos=1, packet_id=9)) + encode(PingReq())
    reader = PacketReader(max_publish_bytes=1_000)
    out, most = [], 0
    for at in range(0, len(wire), piece):
        reader.feed(wire[at : at + piece])
        out += list(reader.packets())
        most = max(most, reader.buffered_bytes)
    assert out == [Oversize("big", 1, 9, 500_000, False), PingReq()]
    assert most <= 16  # the head at most: the body is never kept


def test_an_oversize_publish_is_reported_only_when_its_last_byte_is_there() -> None:
    wire = encode(Publish("big", b"x" * 5_000, qos=1, packet_id=9))
    reader = PacketReader(max_publish_bytes=1_000)
    reader.feed(wire[:-1])
    assert list(reader.packets()) == []
    reader.feed(wire[-1:])
    assert len(list(reader.packets())) == 1


def test_a_publish_of_exactly_the_limit_is_a_publish() -> None:
    packet = Publish("t", b"x" * (100 - 5), qos=1, packet_id=1)
    assert read(encode(packet), max_publish_bytes=100) == [packet]
    assert isinstance(read(encode(packet), max_publish_bytes=99)[0], Oversize)


def test_the_reader_takes_views_and_keeps_none() -> None:
    block = bytearray(encode(Publish("t", b"abc")))
    reader = PacketReader()
    reader.feed(memoryview(block))
    block[:] = b"\xff" * len(block)
    assert list(reader.packets()) == [Publish("t", b"abc")]


@pytest.mark.parametrize(
    "packet",
    [
        Publish("t", b"", qos=1, packet_id=0),
        Publish("t" * 65_536, b""),
        PubAck(65_536),
        Connect("c", None, b"password without a user"),
        Connect("c" * 70_000),
    ],
)
def test_what_mqtt_cannot_carry_is_not_encoded(packet: Connect | PubAck | Publish) -> None:
    with pytest.raises(ValueError, match=r"MQTT|packet id"):
        encode(packet)
