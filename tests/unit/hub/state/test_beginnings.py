"""What the rules begin with, and what an event in the first second means: zeros, bounds, first numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.hub_rules import AnswerCall, Close, Rules, SendUpstream, Settle, Store, To, deliveries, of_kind, pubacks
from vigie_edgehub.message import Message, message_bytes
from vigie_edgehub.mqtt.packets import Publish
from vigie_edgehub.ports import MethodResult, Misbehaviour
from vigie_edgehub.state.counters import Counters
from vigie_edgehub.state.effects import Deliver, Note, SaveSession, SaveTwin, Send
from vigie_edgehub.state.sessions import Parked, StoredSession
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers

ONE_ROUTE: dict[str | None, list[To]] = {"out": [To("b/in")]}


def message(**changes: Any) -> Message:
    facts: dict[str, Any] = {
        "key": "k", "stored_at": 1.0, "source_module": "a", "output": "out", "kind": "Telemetry", "system": {},
        "application": {}, "body": b"x",
    }  # fmt: skip
    return Message(**facts | changes)


def test_a_hub_that_has_just_begun_has_counted_nothing() -> None:
    assert set(msgspec.structs.asdict(Counters()).values()) == {0}


def test_the_bounds_are_those_of_edgehub_and_of_one_small_machine() -> None:
    settings = HubSettings()
    assert (settings.ack_timeout_s, settings.keep_alive_factor, settings.token_grace_s) == (30.0, 1.5, 300.0)
    assert (settings.max_stored_bytes, settings.max_stored_messages) == (1_073_741_824, 250_000)
    assert (settings.max_silent, settings.max_silent_per_peer, settings.max_links) == (128, 64, 100)
    assert (settings.max_unacked_publishes, settings.twin_gets_per_s, settings.upstream_batch) == (256, 20.0, 100)
    # Links, the silent ones and the ports fit into the least number of file descriptors that a hub is started with.
    assert settings.max_links + settings.max_silent < 256


@pytest.mark.parametrize(
    "effect",
    [
        Send(1, Publish("t", b"", 1, 1)),
        Deliver(1, 1, False, 1, "b/in"),
        Close(1),
        Store(1, 1, message(), []),
        Settle(1, "b/in"),
        SendUpstream([1]),
        AnswerCall("r", MethodResult(200)),
        Note("debug", "event", {}),
        SaveSession("dev/a"),
        SaveTwin("a"),
        Parked(1, message()),
        StoredSession("dev/a", "a", {}),
        message(),
        HubSettings(),
    ],
    ids=lambda effect: type(effect).__name__,
)
def test_what_the_rules_hand_out_is_never_changed_by_who_gets_it(effect: Any) -> None:
    for name in effect.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(effect, name, getattr(effect, name))


def test_the_first_packet_id_of_a_session_is_1_and_the_first_message_is_number_1() -> None:
    rules = Rules(ONE_ROUTE)
    a = rules.connect(0, "a")
    rules.connect(0, "b")
    [first] = deliveries(rules.send(1, a))
    assert (first.packet_id, first.seq, first.dup) == (1, 1, False)


def test_an_acknowledgement_in_the_first_second_is_as_late_as_it_was_told_to_be() -> None:
    rules = Rules(ONE_ROUTE)
    rules.state.misbehave(0, Misbehaviour(ack_delay_ms=100))
    a = rules.connect(0, "a")
    rules.send(0.2, a, packet_id=7)
    assert pubacks(rules.tick(0.29)) == []
    assert pubacks(rules.tick(0.31)) == [7]


def test_a_message_has_the_size_of_its_own_properties_also_where_it_shares_one_half_with_the_last() -> None:
    rules = Rules(ONE_ROUTE)
    a = rules.connect(0, "a")
    system, application = {"contentType": "text/plain"}, {"line": "7"}
    sent = [
        message(system=system, application=application),
        message(system=system, application=application, body=b"four"),
        message(system=system, application={"line": "seven hundred"}),
        message(system={}, application={"line": "seven hundred"}),
    ]
    for number, one in enumerate(sent, 1):
        rules.state.publish(1, a, number, one, dup=False)
    assert [store.size for store in of_kind(rules.collect(), Store)] == [message_bytes(one) for one in sent]


def test_a_desired_change_asks_for_an_acknowledgement() -> None:
    rules = Rules({"out": [To("b/in")]})
    b = rules.connect(0, "b")
    rules.state.subscribe(1, b, 2, [("$iothub/twin/PATCH/properties/desired/#", 1)])
    rules.collect()
    rules.state.push_desired("b", {"a": 1})
    [push] = [one.packet for one in of_kind(rules.collect(), Send) if isinstance(one.packet, Publish)]
    assert (push.qos, push.packet_id) == (1, 1)


def test_a_full_store_is_told_once_when_it_begins() -> None:
    rules = Rules(ONE_ROUTE, max_stored_messages=1)
    a = rules.connect(0, "a")
    for number in range(1, 4):
        rules.send(1, a, packet_id=number)
    told = [note for note in of_kind(rules.done, Note) if note.event == "store_full"]
    assert [note.fields["stored_messages"] for note in told] == [1]


def test_a_link_that_was_dropped_gets_nothing_more_and_what_it_sends_comes_again() -> None:
    rules = Rules(ONE_ROUTE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    rules.state.links.drop(b)
    rules.state.links.drop(a)
    assert of_kind(rules.collect(), Close) == [Close(b.id, abrupt=True), Close(a.id, abrupt=True)]
    assert rules.send(1, a) == []
    other = rules.connect(2, "c")
    assert deliveries(rules.send(2, other)) == []


def test_the_earliest_of_all_timers_is_next_whatever_the_order_in_which_they_were_set() -> None:
    timers = Timers()
    fired: list[float] = []
    assert timers.next_at is None
    for when in (5.0, 1.0, 3.0):
        timers.at(when, fired.append)
    assert timers.next_at == 1.0
    timers.run(3.0)
    assert (fired, timers.next_at) == ([3.0, 3.0], 5.0)
