"""Which layers stay float next, where a written file loses more than the search saw."""

from __future__ import annotations

from vigie_devkit.quantize.variants import more_float

ORDER = ["first", "second", "third", "box", "fourth", "fifth", "sixth"]
LAST = ("box", "score")


def test_the_last_layers_come_first_then_the_most_harmful_two_then_twice_as_many() -> None:
    once = more_float(ORDER, (), LAST)
    assert once == ("box", "score")
    twice = more_float(ORDER, once, LAST)
    assert twice == ("box", "score", "first", "second")
    assert more_float(ORDER, twice, LAST) == ("box", "score", "first", "second", "third", "fourth")


def test_what_the_search_kept_float_stays_and_is_not_named_twice() -> None:
    assert more_float(ORDER, ("second", "box"), LAST) == ("second", "box", "score")


def test_without_cheap_last_layers_the_most_harmful_are_next() -> None:
    assert more_float(ORDER, (), ()) == ("first", "second")
    assert more_float(ORDER, ("first", "second", "third"), ()) == tuple(ORDER[:6])


def test_an_order_that_is_used_up_gives_nothing_new() -> None:
    assert set(more_float(ORDER, (*ORDER, "score"), LAST)) == {*ORDER, "score"}
