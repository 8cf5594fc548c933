"""What repetitions of a fault leave behind, and how a process's handles are told apart."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from pathlib import Path

import pytest

from vigie.thread_names import show_thread_name
from vigie_devkit.faults.growth import Growth, Reading, describe_growth, growths
from vigie_devkit.faults.handles import handle_kinds, thread_names


def readings(handles: list[int], *, pid: int = 7, name: str = "sync", kind: str = "tcp ESTABLISHED") -> list[Reading]:
    return [Reading(name, pid, 40.0, Counter({kind: count, "pipe": 3}), Counter(python=20)) for count in handles]


def handles_of(found: list[Growth]) -> Growth:
    return next(one for one in found if one.quantity == "handles")


@pytest.mark.parametrize(
    ("counts", "grows"),
    [
        ([4, 9, 5, 5, 5, 5, 5, 5, 5, 5], False),
        ([4, 5, 6, 7, 8, 9, 10, 11, 12, 13], True),
        ([4, 4, 4, 9, 4, 4, 4, 4, 4, 11], False),
        ([4, 4, 4, 4, 5, 5, 5, 6, 6, 6], True),
        ([9, 9, 9, 8, 8, 8, 7, 7, 7, 7], False),
    ],
    ids=["level-after-warm-up", "one-each-time", "two-bad-moments", "one-in-three", "fewer"],
)
def test_what_every_repetition_leaves_is_growth_and_a_bad_moment_is_not(counts: list[int], grows: bool) -> None:
    found = handles_of(growths(readings(counts)))
    assert found.grows is grows
    assert not grows or "tcp ESTABLISHED" in found.what


@pytest.mark.parametrize(
    ("memory_mb", "grows"),
    [
        ([116, 117, 118, 117, 119, 118, 119, 120, 119, 120], False),
        ([40, 41, 41, 42, 43, 44, 45, 46, 46, 47], True),
        ([40.0] * 10, False),
    ],
    ids=["an-allocator-at-rest", "a-leak", "level"],
)
def test_memory_grows_where_it_rises_by_more_than_an_allocator_varies(memory_mb: list[float], grows: bool) -> None:
    found = growths([Reading("sync", 7, one) for one in memory_mb])
    assert [one.grows for one in found if one.quantity == "memory_mb"] == [grows]


def test_a_process_that_was_started_anew_is_judged_from_then_on() -> None:
    found = handles_of(growths([*readings([40, 41, 42, 43]), *readings([5] * 8, pid=8)]))
    assert (found.first, found.last, found.grows) == (8, 8, False)
    assert growths([*readings([5] * 8), *readings([5] * 3, pid=8)]) == []


def test_the_row_names_what_became_more() -> None:
    row = describe_growth("hub-drops", growths(readings(list(range(4, 14)))))
    assert row == "| hub-drops | sync | handles | 9.5 | 15.5 | +1.00 | tcp ESTABLISHED +6 |"
    assert describe_growth("hub-drops", growths(readings([4] * 9))) == "| hub-drops | all | all | | | level | |"


def test_handles_are_told_apart_by_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "ring-12.frames"
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socketpair()[0], path.open("wb"):
        kinds = handle_kinds(os.getpid())
        with socket.create_connection(listening.getsockname()):
            more = handle_kinds(os.getpid())
    assert kinds["tcp LISTEN"] >= 1
    assert kinds["unix unnamed"] >= 1
    assert any(name.endswith("/ring-N.frames") for name in kinds)
    assert more["tcp ESTABLISHED"] > kinds["tcp ESTABLISHED"]


def test_threads_are_counted_by_their_names() -> None:
    ends, named = threading.Event(), threading.Event()

    def work() -> None:
        show_thread_name("growth-7")
        named.set()
        ends.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert named.wait(60)
        assert thread_names(os.getpid())["growth-N"] == 1
    finally:
        ends.set()
        thread.join()
