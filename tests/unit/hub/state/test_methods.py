"""Direct methods: parked, sent, answered, timed out."""

from __future__ import annotations

import msgspec
import pytest

from support.hub_rules import AnswerCall, Rules, To, of_kind, published
from vigie_edgehub.ports import (
    HubRefusalError,
    MethodResult,
    RefusalCode,
)
from vigie_edgehub.state.effects import Effect
from vigie_edgehub.state.method_limits import check_method
from vigie_edgehub.state.sessions import ClientLink, StoredSession

METHODS = "$iothub/methods/POST/#"
ONE = {"out": [To("b/in")]}


def invoke(
    rules: Rules, now: float, rid: str = "r1", module: str = "b", *, response: float = 30, connect: float = 0
) -> list[Effect]:
    rules.state.methods.invoke(
        now, rid, module, "go now", b'{"a":1}', response_timeout_s=response, connect_timeout_s=connect
    )
    return rules.collect()


def listening(rules: Rules, now: float) -> ClientLink:
    link = rules.connect(now, "b")
    rules.state.subscribe(now, link, 2, [(METHODS, 1)])
    rules.collect()
    return link


def code_of(outcome: MethodResult | HubRefusalError) -> RefusalCode:
    assert isinstance(outcome, HubRefusalError)
    return outcome.error_code


def test_a_call_reaches_the_module_and_its_answer_the_caller() -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    request = published(invoke(rules, 1))[0]
    assert request.topic == "$iothub/methods/POST/go%20now/?$rid=r1"
    assert request.payload == b'{"a":1}'
    rules.state.method_answered(link, "r1", 400, b'{"no":true}')
    assert of_kind(rules.collect(), AnswerCall) == [AnswerCall("r1", MethodResult(400, msgspec.Raw(b'{"no":true}')))]


def test_an_empty_answer_is_null() -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    invoke(rules, 1)
    rules.state.method_answered(link, "r1", 200, b"")
    assert of_kind(rules.collect(), AnswerCall) == [AnswerCall("r1", MethodResult(200, msgspec.Raw(b"null")))]


def test_a_module_that_is_away_is_absent_at_once_when_nobody_wants_to_wait() -> None:
    rules = Rules(ONE)
    invoke(rules, 1)
    answer = of_kind(rules.tick(1), AnswerCall)[0]
    assert code_of(answer.outcome) is RefusalCode.DeviceNotOnline


def test_a_connected_module_without_the_subscription_is_absent() -> None:
    rules = Rules(ONE)
    rules.connect(0, "b")
    invoke(rules, 1, connect=2)
    assert of_kind(rules.tick(2.9), AnswerCall) == []
    assert code_of(of_kind(rules.tick(3), AnswerCall)[0].outcome) is RefusalCode.DeviceNotOnline


def test_a_late_subscriber_within_the_connect_time_out_gets_the_call() -> None:
    rules = Rules(ONE)
    invoke(rules, 1, connect=5)
    link = rules.connect(3, "b")
    assert published(rules.done) == []
    rules.state.subscribe(4, link, 2, [(METHODS, 1)])
    assert len(published(rules.collect())) == 1
    assert of_kind(rules.tick(7), AnswerCall) == [], "it is not absent any more"


def test_no_answer_in_time_is_a_time_out_and_a_late_answer_means_nothing() -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    invoke(rules, 1, response=5)
    assert of_kind(rules.tick(5.9), AnswerCall) == []
    assert code_of(of_kind(rules.tick(6), AnswerCall)[0].outcome) is RefusalCode.GatewayTimeout
    rules.state.method_answered(link, "r1", 200, b"1")
    assert of_kind(rules.collect(), AnswerCall) == []
    assert rules.state.counters.methods_unmatched == 1


@pytest.mark.parametrize(("rid", "status"), [("other", 200), (None, 200), ("r1", None)])
def test_an_answer_that_is_nobodys_is_ignored(rid: str | None, status: int | None) -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    invoke(rules, 1)
    rules.state.method_answered(link, rid, status, b"1")
    assert of_kind(rules.collect(), AnswerCall) == []


def test_another_module_cannot_answer_for_the_one_that_was_called() -> None:
    rules = Rules(ONE)
    listening(rules, 0)
    other = rules.connect(0, "a")
    invoke(rules, 1)
    rules.state.method_answered(other, "r1", 200, b"1")
    assert of_kind(rules.collect(), AnswerCall) == []


def test_many_calls_run_at_once_and_only_the_request_id_tells_them_apart() -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    for number in range(5):
        invoke(rules, 1, f"r{number}")
    for number in (3, 0, 4, 1, 2):
        rules.state.method_answered(link, f"r{number}", 200, str(number).encode())
    answers = of_kind(rules.collect(), AnswerCall)
    assert [(answer.call, bytes(answer.outcome.payload)) for answer in answers] == [
        (f"r{number}", str(number).encode()) for number in (3, 0, 4, 1, 2)
    ]


@pytest.mark.parametrize(
    ("name", "payload", "response", "connect"),
    [
        ("", b"", 30, 0),
        ("n" * 101, b"", 30, 0),
        ("n", b"x" * 131_073, 30, 0),
        ("n", b"", 3, 0),
        ("n", b"", 302, 0),
        ("n", b"", -1, 0),
        ("n", b"", 30, -1),
        ("n", b"", 30, 301),
    ],
    ids=[
        "empty name",
        "long name",
        "payload",
        "response 3",
        "response 302",
        "response -1",
        "connect -1",
        "connect 301",
    ],
)
def test_a_call_outside_the_limits_is_refused(name: str, payload: bytes, response: int, connect: int) -> None:
    with pytest.raises(HubRefusalError):
        check_method(name, payload, response, connect)


def test_a_call_at_the_limits_is_allowed() -> None:
    check_method("n" * 100, b"x" * 131_072, 300, 300)
    check_method("n", b"", 5, 0)


def test_an_answer_that_is_nested_too_deep_is_told_as_not_valid_json() -> None:
    rules = Rules(ONE)
    link = listening(rules, 0)
    invoke(rules, 1)
    rules.state.method_answered(link, "r1", 200, b"[" * 100_000 + b"]" * 100_000)
    [answer] = of_kind(rules.collect(), AnswerCall)
    assert code_of(answer.outcome) is RefusalCode.ModuleAnswerNotJson


def test_a_call_to_a_resumed_session_goes_the_moment_that_its_hold_is_over() -> None:
    rules = Rules(ONE, state={"sessions": [StoredSession("dev/b", "b", {METHODS: 1})]}, hold_grace_s=1.5)
    rules.connect(0, "b", inputs=False)
    assert published(invoke(rules, 0.5, connect=5)) == []
    assert published(rules.tick(1.4)) == []
    assert len(published(rules.tick(1.5))) == 1
