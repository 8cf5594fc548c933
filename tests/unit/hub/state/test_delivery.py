"""Store and forward as rules: one in flight, order, priorities, time to live, redelivery."""

from __future__ import annotations

from support.hub_rules import CopyTarget, Rules, Settle, Store, To, deliveries, of_kind, pubacks
from vigie_edgehub.ports import Misbehaviour
from vigie_edgehub.state.sessions import ClientLink, StoredSession

ONE = {"out": [To("b/in")]}


def drain(rules: Rules, now: float, link: ClientLink) -> list[int]:
    """Acknowledge whatever is delivered until nothing comes; the sequence numbers in order."""
    seqs: list[int] = []
    pending = deliveries(rules.done)[-1:]
    while pending:
        seqs.append(pending[0].seq)
        pending = deliveries(rules.ack(now, link, pending[0].packet_id))
    return seqs


def test_a_message_is_stored_before_its_sender_is_answered_and_before_it_is_delivered() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    kinds = [type(effect).__name__ for effect in rules.send(1, a)]
    assert kinds == ["Store", "Deliver", "Send"]
    assert b.deliveries


def test_only_one_message_is_in_flight_per_endpoint_until_it_is_acknowledged() -> None:
    rules = Rules({"out": [To("b/in")], "other": [To("b/in2")]})
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    first = deliveries(rules.send(1, a))
    assert len(first) == 1
    assert deliveries(rules.send(1, a)) == []
    assert len(deliveries(rules.send(1, a, "other"))) == 1, "another input is another endpoint"
    second = deliveries(rules.ack(2, b, first[0].packet_id))
    assert [one.seq for one in second] == [2]


def test_messages_for_a_module_that_is_away_wait_and_come_in_order() -> None:
    rules = Rules(ONE)
    a = rules.connect(0, "a")
    for number in range(10):
        assert pubacks(rules.send(number, a)), "stored is acknowledged, delivered or not"
    b = rules.connect(20, "b")
    assert drain(rules, 20, b) == list(range(1, 11))
    assert rules.state.queues.stored_messages == 0
    assert rules.state.queues.stored_bytes == 0


def test_nothing_is_delivered_without_an_inputs_subscription_and_nothing_is_lost() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b", inputs=False)
    assert deliveries(rules.send(1, a)) == []
    rules.state.subscribe(2, b, 1, [("devices/dev/modules/b/inputs/#", 1)])
    assert [one.seq for one in deliveries(rules.collect())] == [1]
    rules.state.unsubscribe(b, 2, ["devices/dev/modules/b/inputs/#"])
    rules.ack(3, b, b.deliveries and next(iter(b.deliveries)))
    assert deliveries(rules.send(4, a)) == []
    rules.state.subscribe(5, b, 3, [("devices/dev/modules/b/inputs/#", 1)])
    assert [one.seq for one in deliveries(rules.collect())] == [2]


def test_a_message_that_is_not_acknowledged_comes_again_after_the_time_out_with_dup() -> None:
    rules = Rules(ONE, ack_timeout_s=30)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    first = deliveries(rules.send(1, a))[0]
    rules.send(2, a)
    assert deliveries(rules.tick(30.9)) == []
    again = deliveries(rules.tick(31.0))
    assert [(one.seq, one.dup, one.packet_id) for one in again] == [(1, True, first.packet_id)]
    assert [one.seq for one in deliveries(rules.ack(32, b, first.packet_id))] == [2]


def test_what_was_in_flight_when_the_link_broke_comes_first_over_the_next_link() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    first = deliveries(rules.send(1, a))[0]
    rules.send(1, a)
    rules.lose(2, b)
    b = rules.connect(3, "b")
    again = deliveries(rules.done)[-1]
    assert (again.seq, again.dup, again.packet_id) == (1, True, first.packet_id)
    assert drain(rules, 3, b) == [1, 2]


def test_all_of_the_most_urgent_lane_comes_before_the_next_lane() -> None:
    rules = Rules({"low": [To("b/in", 10)], "high": [To("b/in", 0)], "mid": [To("b/in", 5)]})
    a = rules.connect(0, "a")
    for output in ["low", "mid", "high"] * 3:
        rules.send(1, a, output)
    b = rules.connect(2, "b")
    assert drain(rules, 2, b) == [3, 6, 9, 2, 5, 8, 1, 4, 7]


def test_a_message_whose_time_to_live_passed_is_not_delivered_and_is_settled() -> None:
    rules = Rules({"short": [To("b/in", 5, 5.0)], "ever": [To("b/in", 5, None)]})
    a = rules.connect(0, "a")
    rules.send(0, a, "short")
    rules.send(0, a, "ever")
    b = rules.connect(10, "b")
    assert drain(rules, 10, b) == [2]
    assert Settle(1, "b/in") in rules.done
    assert rules.state.queues.by_endpoint["b/in"].expired == 1


def test_a_later_change_of_a_routes_time_to_live_does_not_touch_what_waits() -> None:
    rules = Rules({"out": [To("b/in", 5, 100.0)]})
    a = rules.connect(0, "a")
    rules.send(0, a)
    rules.state.set_routes(1, type(rules.state.intake.routes)({"out": [To("b/in", 5, 1.0)]}))
    b = rules.connect(50, "b")
    assert drain(rules, 50, b) == [1]


def test_expired_messages_of_a_module_that_never_comes_are_swept() -> None:
    rules = Rules({"out": [To("b/in", 5, 5.0)]}, cleanup_interval_s=30)
    a = rules.connect(0, "a")
    for _ in range(3):
        rules.send(1, a)
    rules.tick(30)
    assert rules.state.queues.stored_messages == 0


def test_removing_a_route_discards_that_queue_and_keeps_other_copies() -> None:
    rules = Rules({"out": [To("b/in"), To("c/in")]})
    a = rules.connect(0, "a")
    rules.send(0, a)
    rules.state.set_routes(1, type(rules.state.intake.routes)({"out": [To("c/in")]}))
    assert of_kind(rules.collect(), Settle) == [Settle(1, "b/in")]
    c = rules.connect(2, "c")
    assert drain(rules, 2, c) == [1]
    assert rules.state.counters.dropped_queue_removed == 1


def test_a_message_for_two_endpoints_is_stored_once_and_freed_with_its_last_copy() -> None:
    rules = Rules({"out": [To("b/in"), To("c/in")]})
    a, b, c = rules.connect(0, "a"), rules.connect(0, "b"), rules.connect(0, "c")
    effects = rules.send(0, a, body=b"12345")
    assert len(of_kind(effects, Store)) == 1
    to_b, to_c = deliveries(effects)
    rules.ack(1, b, to_b.packet_id)
    assert rules.state.queues.stored_bytes == 5
    rules.ack(1, c, to_c.packet_id)
    assert rules.state.queues.stored_bytes == 0


def test_without_room_a_publish_is_not_acknowledged_until_there_is_room_again() -> None:
    rules = Rules(ONE, max_stored_bytes=10)
    a = rules.connect(0, "a")
    assert pubacks(rules.send(1, a, body=b"123456", packet_id=1)) == [1]
    assert pubacks(rules.send(1, a, body=b"123456", packet_id=2)) == []
    assert pubacks(rules.send(1, a, body=b"1", packet_id=3)) == [], "order is kept: nobody overtakes"
    b = rules.connect(2, "b")
    effects = rules.ack(3, b, deliveries(rules.done)[-1].packet_id)
    assert pubacks(effects) == [2, 3]
    assert drain(rules, 4, b) == [2, 3]


def test_an_unsendable_message_is_skipped_and_does_not_block_the_rest() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    rules.send(1, a)
    rules.send(1, a)
    rules.state.unsendable(1, "b/in", 1, "the disk lost it")
    assert [one.seq for one in deliveries(rules.collect())] == [2]
    assert rules.state.counters.dropped_unsendable == 1
    assert b.deliveries


def test_slow_delivery_spends_its_time_per_message_and_endpoint_one_at_a_time() -> None:
    rules = Rules(ONE)
    rules.state.misbehave(0, Misbehaviour(delivery_delay_ms=10))
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    assert pubacks(rules.send(1, a)), "acknowledgements are another knob"
    rules.send(1, a)
    assert deliveries(rules.tick(1.005)) == []
    first = deliveries(rules.tick(1.010))
    assert [one.seq for one in first] == [1]
    assert deliveries(rules.ack(1.011, b, first[0].packet_id)) == []
    assert [one.seq for one in deliveries(rules.tick(1.021))] == [2]


def test_acknowledgements_can_be_late_and_stay_in_order() -> None:
    rules = Rules(ONE)
    rules.state.misbehave(0, Misbehaviour(ack_delay_ms=100, jitter=0.9, seed=3))
    a = rules.connect(0, "a")
    for number in range(1, 6):
        assert pubacks(rules.send(0, a, packet_id=number)) == []
    assert pubacks(rules.tick(1.0)) == [1, 2, 3, 4, 5]


def test_a_resent_publish_that_was_stored_but_never_acknowledged_is_not_stored_twice() -> None:
    rules = Rules(ONE)
    rules.state.misbehave(0, Misbehaviour(ack_delay_ms=60_000))
    a = rules.connect(0, "a")
    rules.send(1, a, body=b"once", packet_id=7)
    rules.lose(2, a)
    rules.state.misbehave(2, Misbehaviour())
    a = rules.connect(3, "a")
    effects = rules.send(3, a, body=b"once", packet_id=7, dup=True)
    assert pubacks(effects) == [7]
    assert of_kind(effects, Store) == []
    assert rules.state.counters.duplicates == 1
    assert of_kind(rules.send(3, a, body=b"once", packet_id=7, dup=True), Store), "a second time it is another message"


def test_messages_of_a_former_hub_process_are_delivered_in_their_order_and_new_ones_after_them() -> None:
    waiting = [
        (3, 10, [CopyTarget("b/in", 5, None)]),
        (7, 10, [CopyTarget("b/in", 5, None), CopyTarget("gone/in", 5, None)]),
    ]
    stored = [StoredSession("dev/b", "b", {"devices/dev/modules/b/inputs/#": 1})]
    rules = Rules(ONE, waiting=waiting, state={"next_seq": 8, "sessions": stored})
    assert of_kind(rules.done, Settle) == [Settle(7, "gone/in")]
    a = rules.connect(1, "a")
    rules.send(1, a)
    b = rules.connect(1, "b")
    assert drain(rules, 1, b) == [3, 7, 8]


def test_a_message_over_the_limit_is_acknowledged_dropped_and_counted() -> None:
    rules = Rules(ONE)
    a = rules.connect(0, "a")
    assert pubacks(rules.send(1, a, body=b"x" * 262_145, packet_id=9)) == [9]
    assert rules.state.counters.dropped_too_large == 1
    assert of_kind(rules.send(1, a, body=b"x" * 262_144), Store)


def test_a_message_without_a_route_is_acknowledged_dropped_and_counted() -> None:
    rules = Rules(ONE)
    a = rules.connect(0, "a")
    effects = rules.send(1, a, "nowhere", packet_id=4)
    assert pubacks(effects) == [4]
    assert of_kind(effects, Store) == []
    assert rules.state.counters.dropped_no_route == 1


def test_thirty_thousand_messages_leave_nothing_behind_in_the_rules() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    for number in range(30_000):
        delivered = deliveries(rules.send(number / 1000, a))
        rules.ack(number / 1000, b, delivered[0].packet_id)
        rules.done.clear()
    assert rules.state.queues.stored_messages == 0
    assert len(rules.state.timers._heap) < 20
    assert not b.deliveries


def test_a_bound_below_the_size_of_one_message_does_not_stop_everything() -> None:
    rules = Rules(ONE, max_stored_bytes=10)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    assert pubacks(rules.send(1, a, body=b"x" * 100, packet_id=1)) == [1]
    assert pubacks(rules.send(1, a, body=b"y" * 100, packet_id=2)) == []
    assert pubacks(rules.ack(2, b, deliveries(rules.done)[-1].packet_id)) == [2]
