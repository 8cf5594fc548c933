"""Links come and go: sessions that outlive them, take-over, holding, draining, keep-alive, tokens."""

from __future__ import annotations

from support.hub_rules import INPUTS, Close, Rules, To, deliveries, of_kind, pubacks
from vigie_edgehub.mqtt.packets import ConnAck
from vigie_edgehub.ports import Misbehaviour
from vigie_edgehub.state.effects import Effect, Note, SaveSession, Send
from vigie_edgehub.state.sessions import StoredSession

ONE = {"out": [To("b/in")]}


def notes(effects: list[Effect]) -> list[str]:
    return [note.event for note in of_kind(effects, Note)]


def connacks(effects: list[Effect]) -> list[ConnAck]:
    return [effect.packet for effect in effects if isinstance(effect, Send) and isinstance(effect.packet, ConnAck)]


def test_the_first_connect_has_no_session_and_the_next_one_has() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    rules.lose(1, b)
    rules.connect(2, "b")
    assert [one.session_present for one in connacks(rules.done)] == [False, True]


def test_a_subscription_is_saved_once_and_outlives_the_hub() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    before = len(of_kind(rules.done, SaveSession))
    rules.state.subscribe(1, b, 2, [(INPUTS.format("b"), 1)])
    assert len(of_kind(rules.collect(), SaveSession)) == 0, "nothing changed"
    assert before >= 1
    stored = rules.state.sessions.by_client["dev/b"].stored()
    again = Rules(ONE, state={"sessions": [stored]})
    a = again.connect(0, "a")
    again.send(0, a)
    again.connect(0, "b", inputs=False)
    assert [one.seq for one in deliveries(again.tick(2))] == [1], "no SUBSCRIBE came, the stored one counts"


def test_inputs_of_a_resumed_session_are_held_until_a_subscribe_says_that_a_handler_is_there() -> None:
    stored = [StoredSession("dev/b", "b", {INPUTS.format("b"): 1})]
    rules = Rules(ONE, state={"sessions": stored}, hold_grace_s=1.5)
    a = rules.connect(0, "a")
    rules.send(0, a)
    b = rules.connect(1, "b", inputs=False)
    assert deliveries(rules.tick(2.4)) == []
    rules.state.subscribe(2.4, b, 5, [(INPUTS.format("b"), 1)])
    assert len(deliveries(rules.collect())) == 1


def test_inputs_of_a_resumed_session_without_a_subscribe_come_after_the_grace() -> None:
    stored = [StoredSession("dev/b", "b", {INPUTS.format("b"): 1})]
    rules = Rules(ONE, state={"sessions": stored}, hold_grace_s=1.5)
    a = rules.connect(0, "a")
    rules.send(0, a)
    rules.connect(1, "b", inputs=False)
    assert deliveries(rules.tick(2.4)) == []
    assert len(deliveries(rules.tick(2.5))) == 1


def test_a_clean_session_forgets_its_subscriptions_with_its_link() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b", clean_session=True)
    rules.lose(1, b)
    assert "dev/b" not in rules.state.sessions.by_client


def test_a_second_connection_of_the_same_id_wins_and_the_first_is_drained_then_closed() -> None:
    rules = Rules(ONE, drain_quiet_s=0.3)
    a = rules.connect(0, "a")
    first = rules.connect(0, "b")
    second = rules.connect(1, "b")
    assert rules.state.sessions.link_of("b") is second
    assert of_kind(rules.tick(1.2), Close) == []
    assert of_kind(rules.tick(1.3), Close) == [Close(first.id)]
    rules.lose(1.4, first)
    assert [one.link for one in deliveries(rules.send(2, a))] == [second.id]


def test_what_the_first_connection_has_in_flight_waits_for_its_acknowledgement_or_its_end() -> None:
    rules = Rules(ONE, drain_quiet_s=0.3)
    a, first = rules.connect(0, "a"), rules.connect(0, "b")
    rules.send(0, a)
    second = rules.connect(1, "b")
    assert not second.deliveries
    assert [(one.link, one.dup) for one in deliveries(rules.lose(1.5, first))] == [(second.id, True)]


def test_a_draining_link_is_neither_acknowledged_nor_stored_but_its_acknowledgements_count() -> None:
    rules = Rules(ONE)
    a, b = rules.connect(0, "a"), rules.connect(0, "b")
    packet_id = deliveries(rules.send(0, a))[0].packet_id
    rules.state.links.drain_all(1)
    assert pubacks(rules.send(1, a)) == []
    rules.ack(1, b, packet_id)
    assert rules.state.queues.stored_messages == 0


def test_draining_waits_for_a_quiet_moment_but_not_for_ever() -> None:
    rules = Rules(ONE, drain_quiet_s=0.3, drain_limit_s=2.0)
    a = rules.connect(0, "a")
    rules.state.links.drain(0, a)
    now = 0.0
    while now < 1.9:
        now = round(now + 0.1, 3)
        a.last_seen = now  # it goes on sending
        assert of_kind(rules.tick(now), Close) == []
    a.last_seen = 2.0
    assert of_kind(rules.tick(2.0), Close) == [Close(a.id)]


def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives() -> None:
    rules = Rules(ONE)
    a = rules.connect(0, "a", keep_alive_s=60)
    a.last_seen = 50
    assert of_kind(rules.tick(90), Close) == []
    assert of_kind(rules.tick(139), Close) == []
    effects = rules.tick(140)
    assert of_kind(effects, Close) == [Close(a.id)]
    assert "keep_alive_missed" in notes(effects)


def test_a_token_that_is_not_renewed_raises_an_alarm_and_ends_the_link_only_after_the_grace() -> None:
    rules = Rules(ONE, token_grace_s=300)
    a = rules.connect(0, "a", token_expires_at=3600)
    assert rules.tick(3599) == []
    assert notes(rules.tick(3600)) == ["token_not_renewed"]
    assert a.open
    assert "token_expired" in notes(rules.tick(3900))
    assert a.draining


def test_a_renewed_token_is_another_link_and_the_old_ones_expiry_means_nothing() -> None:
    rules = Rules(ONE)
    a = rules.connect(0, "a", token_expires_at=3600)
    rules.lose(3480, a)
    rules.connect(3480, "a", token_expires_at=7080)
    assert "token_not_renewed" not in notes(rules.tick(3600))


def test_drops_on_command_follow_the_seed() -> None:
    def drops(seed: int) -> list[int]:
        rules = Rules(ONE)
        rules.state.misbehave(0, Misbehaviour(drop_probability=0.3, seed=seed))
        found = []
        for number in range(40):
            a = rules.connect(number, "a")
            rules.send(number, a)
            if a.draining:
                found.append(number)
            rules.lose(number, a)
        return found

    assert drops(7) == drops(7)
    assert drops(7) != drops(8)
    assert 4 < len(drops(7)) < 25


def test_packet_ids_skip_those_that_are_awaited_and_never_become_zero() -> None:
    rules = Rules(ONE)
    b = rules.connect(0, "b")
    session = b.session
    session._next_packet_id = 65_534
    assert session.next_packet_id({65_535: None, 1: None}) == 2
