"""Storing comes before answering, also when the disk takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.hub_rules import DEVICE, INPUTS, Table, To
from vigie_edgehub.mqtt.codec import PacketReader, encode
from vigie_edgehub.mqtt.packets import Connect, PingReq, PingResp, PubAck, Publish, Subscribe
from vigie_edgehub.shell.admission import Admitted
from vigie_edgehub.shell.broker import Broker
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.store.documents import DocumentStore
from vigie_edgehub.store.messages import MessageStore


class Everybody:
    """Admits any client: who may connect is tested elsewhere."""

    def check(self, packet: Connect, now: float) -> Admitted:
        return Admitted(packet.client_id.partition("/")[2], now + 3600, "test")


class Written(asyncio.Transport):
    """A transport whose far end is this list of packets."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list = []
        self.reading, self.unread = True, 0
        self._reader = PacketReader()

    def write(self, data: bytes) -> None:
        self._reader.feed(data)
        self.packets += self._reader.packets()

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        pass


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Any, ...]]:
    clock = Clock()
    store = MessageStore(tmp_path / "messages")
    store.recover()
    state = HubState(DEVICE, Table({"out": [To("b/in")]}), HubSettings(hold_grace_s=0))
    performer = Performer(state, store, DocumentStore(tmp_path), clock)
    broker = Broker(state, performer, Everybody(), clock)

    def link(module: str) -> tuple[Any, ...]:
        connection, written = broker.new_connection(), Written()
        connection.connection_made(written)
        connection.data_received(encode(Connect(f"{DEVICE}/{module}", "u", b"p")))
        return connection, written

    yield link, performer
    store.close()


def message(packet_id: int) -> bytes:
    return encode(Publish(f"devices/{DEVICE}/modules/a/messages/events/%24.on=out", b"x", 1, packet_id))


async def test_a_flood_of_pingreqs_takes_turns_with_other_links(bench: tuple[Any, ...]) -> None:
    link, _ = bench
    rogue, pongs = link("a")
    other, answers = link("b")
    rogue.data_received(encode(PingReq()) * 10_000)
    first = len(pongs.packets)
    assert 0 < first < 1_000, "one read is handled in one go: nobody else has a turn"
    assert not pongs.reading, "more is read before the rest is handled"
    other.data_received(encode(PingReq()))
    assert isinstance(answers.packets[-1], PingResp)
    while not pongs.reading:
        await asyncio.sleep(0)
    assert sum(isinstance(packet, PingResp) for packet in pongs.packets) == 10_000


async def test_who_takes_no_answers_gets_no_more_of_them(bench: tuple[Any, ...]) -> None:
    link, _ = bench
    rogue, pongs = link("a")
    before = len(pongs.packets)
    pongs.unread = 100_000
    rogue.data_received(encode(PingReq()) * 100)
    assert len(pongs.packets) == before


async def test_without_disk_nobody_is_acknowledged_and_with_it_everybody_is(bench: tuple[Any, ...]) -> None:
    link, performer = bench
    sender, seen = link("a")
    performer._store._db.execute("PRAGMA query_only=ON")
    sender.data_received(message(1))
    sender.data_received(message(2))
    assert not [packet for packet in seen.packets if isinstance(packet, PubAck)]
    performer._store._db.execute("PRAGMA query_only=OFF")
    performer._retry_store()
    assert [packet.packet_id for packet in seen.packets if isinstance(packet, PubAck)] == [1, 2]


async def test_many_messages_in_one_read_are_written_once_and_answered_once(bench: tuple[Any, ...]) -> None:
    link, performer = bench
    sender, seen = link("a")
    receiver, got = link("b")
    receiver.data_received(encode(Subscribe(1, ((INPUTS.format("b"), 1),))))
    writes = []
    performer._store._db.set_trace_callback(lambda statement: writes.append(1) if statement == "COMMIT" else None)
    sender.data_received(b"".join(message(number) for number in range(1, 11)))
    assert len([packet for packet in seen.packets if isinstance(packet, PubAck)]) == 10
    assert len(writes) == 1
    assert len([packet for packet in got.packets if isinstance(packet, Publish)]) == 1, "one in flight"
