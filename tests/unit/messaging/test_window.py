"""The window of an output: what opens it, what expires, what is sent again."""

from __future__ import annotations

from collections import Counter

from vigie.messaging.window import Flight, Window


def flight(sent: int, *, items: int = 1, keep: bool = False, acknowledged_at: float | None = 0.0) -> Flight:
    made = Flight(sent, b"", {}, Counter({"cam": items}), keep)
    made.acknowledged_at = acknowledged_at
    made.sends = 1
    return made


def test_an_acknowledgement_of_the_hub_opens_nothing() -> None:
    window = Window(2, 3.0)
    window.add(flight(1))
    window.add(flight(2))
    assert not window.is_open


def test_a_position_confirms_everything_up_to_it() -> None:
    window = Window(2, 3.0)
    window.add(flight(1, items=2))
    window.add(flight(2, items=3))
    assert window.confirm(1, 0.1)
    assert (window.is_open, window.items) == (True, 3)
    assert not window.confirm(1, 0.2)
    assert window.confirm(9, 0.3)
    assert window.items == 0


def test_a_message_never_processed_frees_the_window_after_the_timeout() -> None:
    window = Window(1, 3.0)
    window.add(flight(1, items=2))
    assert window.expire(2.9) == ([], [])
    again, lost = window.expire(3.1)
    assert (again, [one.sent for one in lost]) == ([], [1])
    assert window.is_open
    assert window.items == 0


def test_a_message_with_items_to_keep_is_sent_again_with_those_beside_it_and_never_given_up() -> None:
    window = Window(2, 3.0)
    window.add(flight(1))
    window.add(flight(2, keep=True))
    again, lost = window.expire(3.1)
    assert ([one.sent for one in again], lost) == ([1, 2], [])
    assert not window.is_open
    assert window.overdue_at() is None  # not acknowledged yet: it is on its way, not lost


def test_patience_doubles_with_each_time_the_same_message_is_sent() -> None:
    window = Window(1, 3.0)
    one = flight(1, keep=True)
    window.add(one)
    due = []
    for _ in range(6):
        due.append(window.overdue_at())
        one.sends += 1
    assert due == [3.0, 6.0, 12.0, 24.0, 30.0, 30.0]


def test_a_slow_consumer_is_not_taken_for_a_lost_message() -> None:
    window = Window(2, 3.0)
    window.add(flight(1, acknowledged_at=0.0))
    window.confirm(1, 2.5)  # 2.5 s a message
    window.add(flight(2, acknowledged_at=2.5))
    assert window.overdue_at() == 2.5 + 4 * 2.5


def test_what_the_hub_has_not_taken_is_not_overdue() -> None:
    window = Window(1, 3.0)
    window.add(flight(1, acknowledged_at=None))
    assert window.expire(1e9) == ([], [])


def processed(sizes: list[int], *, message_s: float, item_s: float) -> Window:
    window = Window(2, 3.0)
    now = 0.0
    for sent, items in enumerate(sizes, 1):
        window.add(flight(sent, items=items, acknowledged_at=now))
        now += message_s + items * item_s
        window.confirm(sent, now)
    return window


def test_a_slow_consumer_gets_one_item_in_work_and_one_at_hand() -> None:
    window = processed([1, 4] * 10, message_s=0.003, item_s=0.03)
    assert window.room_for_newest() == 2
    window.add(flight(99, items=2))
    assert window.room_for_newest() == 1


def test_a_slow_hub_is_no_reason_for_small_messages() -> None:
    assert processed([1, 4, 8, 2] * 10, message_s=0.04, item_s=0.001).room_for_newest() > 16


def test_a_consumer_that_became_quick_gets_whatever_waits_again() -> None:
    window = processed([1, 4] * 10, message_s=0.003, item_s=0.03)
    now = 100.0
    for sent in range(100, 160):
        window.add(flight(sent, items=2, acknowledged_at=now))
        now += 0.005
        window.confirm(sent, now)
    assert window.room_for_newest() > 16


def test_nothing_known_limits_nothing() -> None:
    assert Window(2, 3.0).room_for_newest() == 1000
    assert processed([1] * 50, message_s=0.0, item_s=0.1).room_for_newest() == 1000


def test_what_has_left_the_window_says_so() -> None:
    window, one, other = Window(2, 3.0), flight(1), flight(2)
    window.add(one)
    window.add(other)
    window.confirm(1, 0.1)
    assert (one.in_window, other.in_window) == (False, True)
    assert window.holds("cam")
    window.remove(other)
    assert not other.in_window
    assert not window.holds("cam")


def test_looking_is_of_no_use_only_while_every_flight_wakes_us() -> None:
    window, quiet = Window(3, 3.0), flight(1)
    assert not window.tells
    window.add(flight(2))
    window.flights[0].wakes = True
    assert window.tells
    window.add(quiet)
    assert not window.tells


def test_the_other_lanes_position_counts_only_for_flights_that_have_been_on_both() -> None:
    window = Window(3, 3.0)
    for sent in (1, 2):
        window.add(flight(sent))
    assert not window.confirm(0, 0.1, moved_position=9)
    window.flights[0].moved = True
    assert not window.confirm(0, 0.2)
    assert window.confirm(0, 0.3, moved_position=1)
    assert [one.sent for one in window.flights] == [2]


def test_a_slow_moment_is_forgotten_a_tenth_with_each_quick_message() -> None:
    window = Window(2, 3.0)
    for sent, (taken_at, done_at) in enumerate([(0.0, 2.0), (2.0, 2.0), (2.0, 2.0)], 1):
        window.add(flight(sent, acknowledged_at=taken_at))
        window.confirm(sent, done_at)
    assert window.slowest_s == 2.0 * 0.9 * 0.9


def test_more_than_a_thousand_are_never_in_flight_and_one_always_may_join() -> None:
    window = Window(2, 3.0)
    window.add(flight(1, items=999))
    assert window.room_for_newest() == 1
    window.add(flight(2, items=5))
    assert window.room_for_newest() == 1


def test_a_flight_is_itself_and_not_another_that_looks_the_same() -> None:
    window, one, same = Window(3, 3.0), flight(1), flight(1)
    window.add(one)
    window.add(same)
    window.remove(same)
    assert window.flights[0] is one
