"""The packet layer against arbitrary input, and against amqtt as an independent reading of the standard."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

from amqtt.adapters import BufferReader
from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import MQTTFixedHeader
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mqtt_packets import packets, publishes
from vigie_edgehub.mqtt.codec import MalformedPacket, PacketReader, encode
from vigie_edgehub.mqtt.packets import ConnAck, Connect, PubAck, Publish, SubAck, Subscribe, Unsubscribe


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(packets, max_size=6), st.lists(st.integers(0, 10_000), max_size=8))
def test_packets_survive_the_wire_however_it_is_cut(sent: list[Any], cuts: list[int]) -> None:
    reader = PacketReader()
    received = []
    for piece in pieces(b"".join(map(encode, sent)), cuts):
        reader.feed(piece)
        received += list(reader.packets())
    assert received == sent
    assert reader.buffered_bytes == 0


@settings(max_examples=400)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_arbitrary_bytes_give_packets_or_one_refusal_and_never_more_than_was_fed(chunks: list[bytes]) -> None:
    reader = PacketReader(max_publish_bytes=256, hard_cap_bytes=4_096)
    fed = 0
    with contextlib.suppress(MalformedPacket):
        for chunk in chunks:
            reader.feed(chunk)
            fed += len(chunk)
            for packet in reader.packets():
                assert packet is not None
            assert reader.buffered_bytes <= min(fed, 128 * 1024 + 5)


@given(packets, st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_never_escapes_as_another_exception(packet: Any, place: int, flip: int) -> None:
    wire = bytearray(encode(packet))
    wire[place % len(wire)] ^= flip
    reader = PacketReader()
    reader.feed(wire)
    with contextlib.suppress(MalformedPacket):
        list(reader.packets())


@given(publishes(), st.integers(0, 300))
def test_what_is_above_the_limit_comes_out_as_oversize_with_the_same_facts(packet: Any, limit: int) -> None:
    wire = encode(packet)
    reader = PacketReader(max_publish_bytes=limit)
    reader.feed(wire)
    (read,) = reader.packets()
    if isinstance(read, Publish):
        assert read == packet
    else:
        assert (read.topic, read.qos, read.packet_id, read.size_bytes, read.dup) == (
            packet.topic,
            packet.qos,
            packet.packet_id,
            len(packet.payload),
            packet.dup,
        )


async def by_amqtt(wire: bytes) -> Any:
    reader = BufferReader(wire)
    header = await MQTTFixedHeader.from_stream(reader)
    return await packet_class(header).from_stream(reader, fixed_header=header)


def _amqtt_can_hold(packet: Connect) -> bool:
    """It invents a client id for an empty one, and reads a password as text."""
    try:
        return bool(packet.client_id) and "\0" not in (packet.password or b"").decode()
    except UnicodeDecodeError:
        return False


@given(packets)
def test_amqtt_reads_what_we_write(packet: Any) -> None:
    if isinstance(packet, Connect) and not _amqtt_can_hold(packet):
        return
    theirs = asyncio.run(by_amqtt(encode(packet)))
    match packet:
        case Publish():
            assert (theirs.topic_name, bytes(theirs.data or b""), theirs.qos) == (
                packet.topic,
                packet.payload,
                packet.qos,
            )
            assert (theirs.dup_flag, theirs.retain_flag) == (packet.dup, packet.retain)
            assert (theirs.packet_id or 0) == packet.packet_id
        case Connect():
            assert theirs.payload.client_id == packet.client_id
            assert theirs.variable_header.keep_alive == packet.keep_alive_s
            assert bool(theirs.clean_session_flag) == packet.clean_session
            assert theirs.payload.username == packet.username
            assert theirs.payload.password == (None if packet.password is None else packet.password.decode())
        case ConnAck():
            assert theirs.return_code == packet.return_code
        case PubAck():
            assert theirs.packet_id == packet.packet_id
        case Subscribe():
            assert theirs.variable_header.packet_id == packet.packet_id
            assert [tuple(topic) for topic in theirs.payload.topics] == list(packet.filters)
        case SubAck():
            assert tuple(theirs.payload.return_codes) == packet.return_codes
        case Unsubscribe():
            assert tuple(theirs.payload.topics) == packet.filters


@given(packets)
def test_we_read_what_amqtt_writes(packet: Any) -> None:
    if isinstance(packet, Connect) and not _amqtt_can_hold(packet):
        return
    wire = asyncio.run(by_amqtt(encode(packet))).to_bytes()
    reader = PacketReader()
    reader.feed(bytes(wire))
    assert list(reader.packets()) == [packet]
