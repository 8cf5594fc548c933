"""How long an acknowledgement is waited for."""

from __future__ import annotations

from vigie.messaging.calls import CALL_DEADLINE_S
from vigie.messaging.patience import CEILING_S, Patience, Patiences


def deliver(patience: Patience, took_s: float, tries: int = 10) -> int:
    """Tries until a message whose acknowledgement takes ``took_s`` is through."""
    for number in range(1, tries + 1):
        if took_s <= patience.limit_s:
            patience.acknowledged(took_s)
            return number
        patience.missed()
    raise AssertionError(f"never delivered: the limit is {patience.limit_s} s")


def test_an_acknowledgement_slower_than_the_first_limit_is_waited_for_at_the_second_try() -> None:
    patience = Patience()
    assert deliver(patience, 6.0) == 2
    assert [deliver(patience, took) for took in (6.0, 9.0, 17.0, 30.0)] == [1, 1, 1, 1]


def test_the_limit_falls_again_when_the_link_is_quick_again_and_not_before() -> None:
    patience = Patience()
    deliver(patience, 15.0)
    for _ in range(7):
        patience.acknowledged(0.01)
        assert patience.limit_s == 45.0
    patience.acknowledged(0.01)
    assert patience.limit_s == CALL_DEADLINE_S


def test_a_hub_that_never_acknowledges_is_waited_for_no_longer_than_the_ceiling() -> None:
    patience = Patience()
    for _ in range(100):
        patience.missed()
    assert patience.limit_s == CEILING_S
    patience.acknowledged(0.01)
    assert patience.limit_s == CALL_DEADLINE_S


def test_each_output_has_its_own_limit() -> None:
    patiences = Patiences()
    patiences.of("telemetry").missed()
    assert patiences.of("telemetry").limit_s == 2 * CALL_DEADLINE_S
    assert patiences.of("credit").limit_s == patiences.of(None).limit_s == CALL_DEADLINE_S
