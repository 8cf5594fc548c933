"""Order, duplicates and gaps."""

from __future__ import annotations

import random

import pytest

from vigie.messaging.reorder import LOST_AT_ONCE_MAX, Lane, Reorder

A = ("camera", "00000001")
WAIT = 0.03


def drain(order: Reorder[int], now: float = 0.0) -> list[int]:
    out = []
    while (message := order.pop(now)) is not None:
        out.append(message)
    return out


def push(order: Reorder[int], *numbers: int, now: float = 0.0, stream: tuple[str, str] = A) -> None:
    for number in numbers:
        order.push(stream, number, number, now)


def test_messages_in_order_pass_at_once() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 2, 3)
    assert drain(order) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_that_overtook_each_other_come_out_in_order(seed: int) -> None:
    order: Reorder[int] = Reorder(WAIT)
    numbers = list(range(1, 201))
    chance = random.Random(seed)
    for start in range(0, 200, 4):
        window = numbers[start : start + 4]
        chance.shuffle(window)
        numbers[start : start + 4] = window
    out = []
    for number in numbers:
        push(order, number)
        out += drain(order)
    out += drain(order, now=WAIT)
    assert out == list(range(1, 201))
    assert (order.lost, order.duplicates) == (0, 0)


def test_a_message_received_twice_is_given_once() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 2, 2, 1, 4, 4, 3)
    assert drain(order) == [1, 2, 3, 4]
    assert order.duplicates == 3


def test_a_gap_is_waited_for_then_counted_and_passed() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 4, 5)
    assert drain(order, now=WAIT / 2) == [1]
    assert order.due() == WAIT
    assert drain(order, now=WAIT) == [4, 5]
    assert order.lost == 2


def test_the_next_gap_is_waited_for_as_long_as_the_first() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 3, 5)
    assert drain(order, now=WAIT) == [1, 3]
    assert order.due() == 2 * WAIT
    assert drain(order, now=1.5 * WAIT) == []
    push(order, 4, now=1.5 * WAIT)
    assert drain(order, now=1.5 * WAIT) == [4, 5]
    assert order.lost == 1


def test_after_our_own_restart_the_stream_goes_on_where_it_is_without_counting_a_loss() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 501, 500, 502)
    assert drain(order) == []
    assert drain(order, now=WAIT) == [500, 501, 502]
    assert order.lost == 0


def test_a_restarted_sender_begins_a_new_stream() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 2)
    push(order, 1, stream=("camera", "00000002"))
    assert drain(order) == [1, 2, 1]


def test_many_restarts_of_a_sender_do_not_fill_the_memory() -> None:
    order: Reorder[int] = Reorder(WAIT)
    for boot in range(1000):
        push(order, 1, 2, stream=("camera", f"{boot:08x}"))
    assert len(drain(order)) == 2000
    assert len(order._streams) <= 64


def test_a_number_that_nobody_can_have_sent_is_no_count_of_lost_messages() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 700_000_000_000_000_000)
    assert drain(order, WAIT) == [1, 700_000_000_000_000_000]
    assert order.lost == LOST_AT_ONCE_MAX


def test_what_came_before_a_gap_is_not_taken_for_what_is_missing_in_it() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1, 2, 3, 6)
    assert drain(order, now=WAIT) == [1, 2, 3, 6]
    assert order.lost == 2


def test_nothing_is_due_once_all_that_was_held_has_passed() -> None:
    order: Reorder[int] = Reorder(WAIT)
    assert order.due() is None
    push(order, 1, 3, 2)
    assert order.due() == 0.0
    assert drain(order) == [1, 2, 3]
    assert order.due() is None
    push(order, 5)
    assert drain(order, now=WAIT) == [5]
    assert order.due() is None


def test_the_first_by_doorbell_passes_at_once_and_a_later_gap_on_it_is_waited_for() -> None:
    order: Reorder[int] = Reorder(WAIT)
    order.push(A, 501, 501, 0.0, lane=Lane.DOORBELL)
    assert drain(order) == [501]
    order.push(A, 503, 503, 0.0, lane=Lane.DOORBELL)
    assert drain(order) == []
    assert drain(order, now=WAIT) == [503]


def test_what_went_by_the_other_lane_is_neither_waited_for_nor_lost() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1)
    order.push(A, 2, 2, 0.0, lane=Lane.DOORBELL)
    order.push(A, 3, 3, 0.0, after=1)
    assert drain(order) == [1, 2, 3]
    order.push(A, 7, 7, 0.0, after=5)
    order.push(A, 4, 4, 0.0, after=2, lane=Lane.DOORBELL)
    assert drain(order, now=WAIT) == [4, 7]
    assert order.lost == 1


def test_a_number_before_that_is_none_before_means_the_one_before() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1)
    order.push(A, 3, 3, 0.0, after=9)
    assert drain(order) == [1]
    order.push(A, 2, 2, 0.0, after=2)
    assert drain(order) == [1, 2, 3][1:]


def test_the_last_1024_of_both_lanes_are_known_when_they_come_again() -> None:
    order: Reorder[int] = Reorder(WAIT)
    for number in range(1, 1025):
        order.push(A, number, number, 0.0, lane=Lane.DOORBELL)
    assert not order.push(A, 1, 1, 0.0)
    order.push(A, 1025, 1025, 0.0, lane=Lane.DOORBELL)
    assert len(order._streams[A].passed) == 1024
    assert not order.push(A, 2, 2, 0.0)
    assert order.duplicates == 2


def test_the_newest_of_a_lane_is_known_however_many_passed_by_the_other() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1)
    for number in range(2, 1100):
        order.push(A, number, number, 0.0, lane=Lane.DOORBELL)
    assert not order.push(A, 1, 1, 0.0)


def test_the_stream_that_was_silent_longest_is_forgotten_first_and_what_it_held_passes() -> None:
    order: Reorder[int] = Reorder(WAIT)
    push(order, 1)
    push(order, 77, stream=("camera", "silent"))
    push(order, 2)
    for boot in range(2, 64):
        push(order, 1, stream=("camera", f"{boot:08x}"))
    assert 77 not in drain(order)
    push(order, 1, stream=("camera", "one more"))
    assert drain(order) == [77, 1]
    assert order.due() is None
    assert not order.push(A, 1, 1, 0.0)
