"""Reading /proc: what a line says, what a process used between two looks."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from vigie.thread_names import show_thread_name, threads_started_as
from vigie_devkit.local.cpu import ProcessTime, ThreadTime, parse_schedstat, parse_stat, read_process, used

STAT = "4711 ({name}) S 1 4711 4711 0 -1 4194560 9 0 0 0 250 50 7 8 20 0 3 0 123456 1 2 3"


@pytest.mark.parametrize("name", ["python", "camera.dock 1", "a) S 1 (b"], ids=["plain", "space", "brackets"])
def test_a_stat_line_tells_name_and_seconds_whatever_the_name_holds(name: str) -> None:
    assert parse_stat(STAT.format(name=name), ticks_per_s=100) == (name, 3.0)


def test_a_schedstat_line_begins_with_nanoseconds() -> None:
    assert parse_schedstat("1500000000 77 12\n") == 1.5


def _write_task(folder: Path, task: int, name: str, run_ns: int | None) -> None:
    place = folder / "task" / str(task)
    place.mkdir(parents=True)
    (place / "stat").write_text(STAT.format(name=name))
    if run_ns is not None:
        (place / "schedstat").write_text(f"{run_ns} 0 0\n")


def test_a_kernel_without_schedstat_gives_hundredths(tmp_path: Path) -> None:
    _write_task(tmp_path / "7", 7, "exact", 1_234_000_000)
    _write_task(tmp_path / "7", 8, "coarse", None)
    (tmp_path / "7" / "stat").write_text(STAT.format(name="python"))
    found = read_process(7, proc=tmp_path)
    assert found.threads[7] == ThreadTime("exact", 1.234)
    assert found.threads[8].cpu_s == pytest.approx(300 / os.sysconf("SC_CLK_TCK"))


def test_a_process_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProcessLookupError):
        read_process(99, proc=tmp_path)


def test_threads_of_one_name_are_added_and_new_ones_count_from_zero() -> None:
    before = ProcessTime(1, 10.0, {1: ThreadTime("python", 5.0), 2: ThreadTime("engine", 1.0)})
    after = ProcessTime(
        1, 13.0, {1: ThreadTime("python", 5.5), 2: ThreadTime("engine", 1.5), 3: ThreadTime("engine", 0.25)}
    )
    spent = used(before, after)
    assert spent.total_s == 3.0
    assert dict(spent.by_thread_s) == {"python": 0.5, "engine": 0.75}
    assert spent.of("eng") == 0.75


def test_a_replaced_process_is_not_compared() -> None:
    with pytest.raises(ValueError, match="was replaced by 2"):
        used(ProcessTime(1, 1.0, {}), ProcessTime(2, 1.0, {}))


@pytest.mark.skipif(not Path("/proc/thread-self/comm").exists(), reason="threads have names in /proc on Linux only")
def test_a_thread_shows_its_name_and_hands_it_to_those_it_starts() -> None:
    shown: dict[str, str] = {}
    ready, done = threading.Event(), threading.Event()

    def inner() -> None:
        shown["inner"] = Path("/proc/thread-self/comm").read_text().strip()

    def outer() -> None:
        show_thread_name("a-name-longer-than-the-kernel-keeps")
        with threads_started_as("engine"):
            started = threading.Thread(target=inner)
            started.start()
            started.join()
        shown["outer"] = Path("/proc/thread-self/comm").read_text().strip()
        shown["seen"] = next(
            thread.name
            for task, thread in read_process(os.getpid()).threads.items()
            if task == threading.get_native_id()
        )
        ready.set()
        done.wait(10)

    thread = threading.Thread(target=outer)
    thread.start()
    assert ready.wait(10)
    done.set()
    thread.join()
    assert shown == {"inner": "engine", "outer": "a-name-longer-t", "seen": "a-name-longer-t"}
