"""The way up: batches, outages, retries."""

from __future__ import annotations

from support.hub_rules import Rules, SendUpstream, Settle, To, of_kind, pubacks
from vigie_edgehub.ports import Misbehaviour
from vigie_edgehub.state.effects import Effect

UP = {"out": [To("$upstream")]}


def batches(effects: list[Effect]) -> list[list[int]]:
    return [effect.seqs for effect in of_kind(effects, SendUpstream)]


def test_one_batch_is_with_the_sink_at_a_time_and_the_next_holds_what_came_meanwhile() -> None:
    rules = Rules(UP)
    a = rules.connect(0, "a")
    assert batches(rules.send(0, a)) == [[1]]
    for _ in range(3):
        assert batches(rules.send(0, a)) == []
    rules.state.upstream_stored(1, ok=True)
    effects = rules.collect()
    assert of_kind(effects, Settle) == [Settle(1, "$upstream")]
    assert batches(effects) == [[2, 3, 4]]


def test_a_failed_batch_is_tried_again_in_order_and_later_each_time() -> None:
    rules = Rules(UP, upstream_retry_s=1, upstream_retry_max_s=2)
    a = rules.connect(0, "a")
    rules.send(0, a)
    rules.send(0, a)
    rules.state.upstream_stored(0, ok=False)
    assert batches(rules.collect()) == []
    assert batches(rules.tick(1)) == [[1, 2]]
    rules.state.upstream_stored(1, ok=False)
    assert batches(rules.tick(2.9)) == []
    assert batches(rules.tick(3)) == [[1, 2]]


def test_while_upstream_is_offline_messages_wait_and_go_up_when_it_is_back() -> None:
    rules = Rules(UP)
    rules.state.misbehave(0, Misbehaviour(upstream_online=False))
    a = rules.connect(0, "a")
    for _ in range(5):
        effects = rules.send(0, a)
        assert pubacks(effects)
        assert batches(effects) == []
    rules.state.misbehave(10, Misbehaviour())
    assert batches(rules.collect()) == [[1, 2, 3, 4, 5]]


def test_time_to_live_ends_messages_for_upstream_too() -> None:
    rules = Rules({"out": [To("$upstream", 5, 60.0)]})
    rules.state.misbehave(0, Misbehaviour(upstream_online=False))
    a = rules.connect(0, "a")
    rules.send(0, a)
    rules.state.misbehave(61, Misbehaviour())
    effects = rules.collect()
    assert batches(effects) == []
    assert of_kind(effects, Settle) == [Settle(1, "$upstream")]
    assert rules.state.queues.by_endpoint["$upstream"].expired == 1


def test_slow_delivery_makes_upstream_slow_too() -> None:
    rules = Rules(UP)
    rules.state.misbehave(0, Misbehaviour(delivery_delay_ms=100))
    a = rules.connect(0, "a")
    assert batches(rules.send(1, a)) == [[1]]
    rules.send(1, a)
    rules.state.upstream_stored(1, ok=True)
    assert batches(rules.collect()) == []
    assert batches(rules.tick(1.1)) == [[2]]
