"""What shares a commit, and what does not wait for it."""

from __future__ import annotations

from typing import cast

import pytest

from support.detections import make_item
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import Envelope
from vigie.messaging.reorder import Lane
from vigie.service import Received
from vigie_sync.held import GATHER, LINGER_S, Held, HeldFrame

BEGUN_S = 100.0


def message(number: int, lane: Lane = Lane.DOORBELL) -> Received[DetectionsItem]:
    envelope = Envelope("vigie.detections/1", "inference", "1badcafe", number, [make_item(number)])
    return Received(envelope, 0, credit_wanted=False, _acknowledge=cast("Nobody", Nobody()), lane=lane)


class Nobody:
    """Nobody is told."""

    def processed(self, *_: object, **__: object) -> None: ...


def held(count: int, *lanes: Lane) -> Held:
    waiting = Held()
    for number in range(count):
        one = message(number, lanes[number] if number < len(lanes) else Lane.DOORBELL)
        waiting.add(one, [HeldFrame(item) for item in one.items], BEGUN_S + number / 1000)
    return waiting


@pytest.mark.parametrize(
    ("waiting", "alert", "due_s"),
    [
        (held(1), False, BEGUN_S + LINGER_S),
        (held(5), False, BEGUN_S + LINGER_S),
        (held(5), True, BEGUN_S),
        (held(GATHER), False, BEGUN_S),
        (held(2, Lane.ROUTE), False, BEGUN_S),
        (held(2, Lane.DOORBELL, Lane.ROUTE), False, BEGUN_S),
    ],
    ids=["one", "some", "an alert", "as many as share a commit", "came by the route", "one of them by the route"],
)
def test_frames_wait_a_tenth_of_a_second_for_others_unless_somebody_waits_for_them(
    waiting: Held, alert: bool, due_s: float
) -> None:
    assert waiting.due_at_s(alert=alert) == due_s


def test_half_of_what_inference_may_have_on_its_way_is_the_most_that_waits() -> None:
    assert GATHER <= 32
    assert held(GATHER).full
    assert not held(GATHER - 1).full
