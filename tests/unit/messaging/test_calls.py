"""Deadlines for calls that have none."""

from __future__ import annotations

import threading

import pytest

from vigie.errors import HubCallHungError
from vigie.messaging.calls import CallThread, LeftBehind


def test_a_call_returns_what_it_returns_and_raises_what_it_raises() -> None:
    calls = CallThread("t")

    def fail() -> None:
        raise KeyError("x")

    assert calls.call("one", lambda: 7) == 7
    with pytest.raises(KeyError):
        calls.call("two", fail)
    calls.close()


def test_a_call_that_hangs_costs_its_thread_but_not_the_next_call() -> None:
    calls = CallThread("t")
    release = threading.Event()
    with pytest.raises(HubCallHungError, match=r"get twin: no answer from the hub client within 0\.05 s"):
        calls.call("get twin", release.wait, deadline_s=0.05)
    assert calls.call("next", lambda: 8) == 8
    assert calls.left_behind.count() == 1
    release.set()
    calls.close()


def test_a_hung_call_that_comes_back_after_all_is_no_longer_counted_as_left_behind() -> None:
    left = LeftBehind()
    release = threading.Event()
    calls = [CallThread("t", left) for _ in range(3)]
    for one in calls:
        with pytest.raises(HubCallHungError):
            one.call("connect", release.wait, deadline_s=0.05)
    hung = [thread for thread in threading.enumerate() if thread.name == "t"]
    assert left.count() == 3
    release.set()
    for thread in hung:
        thread.join(10.0)
    assert left.count() == 0


def test_a_timeout_of_the_call_itself_is_not_taken_for_a_hang() -> None:
    calls = CallThread("t")

    def fail() -> None:
        raise TimeoutError("socket")

    with pytest.raises(TimeoutError, match="socket"):
        calls.call("one", fail)
    assert calls.left_behind.count() == 0
    calls.close()
