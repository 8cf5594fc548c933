"""What must survive the process: measurements and distrust."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from vigie.models import load_bundle
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.choosing import breaker as breaker_file
from vigie.runtimes.choosing.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker, pause_s
from vigie.runtimes.choosing.decision_cache import ENTRIES_MAX, CachedDecision, DecisionCache
from vigie.runtimes.choosing.fingerprint import fingerprint
from vigie.runtimes.hardware import probe
from vigie.runtimes.measuring.measurement import Measured

SHIPPED = Path(__file__).parents[3] / "shared/models/conveyor-parts"
T0 = 1_000_000.0


def test_the_pause_doubles_and_has_an_end() -> None:
    assert [pause_s(count) for count in (1, 2, 3)] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert pause_s(1000) == LONGEST_PAUSE_S


def test_a_failure_opens_the_breaker_for_a_while_and_outlives_the_process(tmp_path: Path) -> None:
    Breaker(tmp_path, T0).failed("gpu", "it hung", T0)
    later = Breaker(tmp_path, T0 + 5)
    assert later.is_open("gpu", T0 + 5)
    assert not later.is_open("gpu", T0 + FIRST_PAUSE_S)
    assert not later.is_open("cpu", T0)
    assert later.failed("gpu", "it hung again", T0 + 60).failures == 2
    assert later.is_open("gpu", T0 + 60 + 1.9 * FIRST_PAUSE_S)


def test_a_module_that_ended_while_a_candidate_was_tried_holds_it_to_be_the_cause(tmp_path: Path) -> None:
    Breaker(tmp_path, T0).trying("gpu")
    after = Breaker(tmp_path, T0 + 1)
    assert after.is_open("gpu", T0 + 1)
    assert "the module ended" in after.troubles()["gpu"].reason
    assert Breaker(tmp_path, T0 + 2).troubles()["gpu"].failures == 1, "one end of the module is one failure"


def test_an_orderly_end_blames_nobody(tmp_path: Path) -> None:
    breaker = Breaker(tmp_path, T0)
    breaker.trying("gpu")
    breaker.settled()
    assert Breaker(tmp_path, T0 + 1).troubles() == {}


def test_long_service_is_forgiveness(tmp_path: Path) -> None:
    breaker = Breaker(tmp_path, T0)
    breaker.failed("gpu", "once", T0)
    breaker.forgive("gpu")
    assert Breaker(tmp_path, T0).troubles() == {}


def test_a_clock_that_was_set_back_keeps_no_breaker_open_for_years(tmp_path: Path) -> None:
    Breaker(tmp_path, T0).failed("gpu", "once", T0)
    long_before = T0 - 10 * 365 * 86400
    assert not Breaker(tmp_path, long_before).is_open("gpu", long_before + LONGEST_PAUSE_S)


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": "other/9", "troubles": {}}', b"\xff\xfe"])
def test_a_breaker_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    breaker = Breaker(tmp_path, T0)
    breaker.path.write_bytes(content)
    assert Breaker(tmp_path, T0).troubles() == {}


def entry(name: str) -> CachedDecision:
    return CachedDecision(name, "model", "2026-01-01T00:00:00+00:00", (Measured(cpu_candidate("fp32", 1)),))


def test_measurements_are_found_again_by_their_fingerprint_only(tmp_path: Path) -> None:
    cache = DecisionCache(tmp_path / "made")
    cache.save(entry("a"))
    cache.save(entry("b"))
    assert DecisionCache(tmp_path / "made").load("a") == entry("a")
    assert cache.load("c") is None
    cache.forget("a")
    assert (cache.load("a"), cache.load("b")) == (None, entry("b"))


def test_the_oldest_entries_go(tmp_path: Path) -> None:
    cache = DecisionCache(tmp_path)
    for number in range(ENTRIES_MAX + 2):
        cache.save(entry(str(number)))
    assert [cache.load(str(number)) is not None for number in range(ENTRIES_MAX + 2)] == [False] * 2 + [
        True
    ] * ENTRIES_MAX


@pytest.mark.parametrize("damage", ["torn", "schema", "field"])
def test_a_cache_that_is_corrupt_or_of_another_schema_is_measured_anew_and_then_whole_again(
    tmp_path: Path, damage: str
) -> None:
    cache = DecisionCache(tmp_path)
    cache.save(entry("a"))
    text = cache.path.read_text()
    if damage == "torn":
        cache.path.write_text(text[: len(text) // 2])
    else:
        tree = json.loads(text)
        if damage == "schema":
            tree["schema"] = "vigie.runtime-measurements/2"
        else:
            tree["entries"][0]["measured"][0]["candidate"]["threads"] = "two"
        cache.path.write_text(json.dumps(tree))
    assert cache.load("a") is None
    cache.save(entry("a"))
    assert cache.load("a") == entry("a")


def test_the_fingerprint_follows_hardware_and_engines_and_is_the_same_on_the_same_ground() -> None:
    bundle, facts = load_bundle(SHIPPED), probe().fingerprint_facts()
    same = fingerprint(bundle, facts, {})
    assert same == fingerprint(bundle, dict(reversed(facts.items())), {})
    assert same != fingerprint(bundle, {**facts, "cpu.quota": "0.5"}, {})
    assert same != fingerprint(bundle, facts, {"VIGIE_ENGINES": "x=/y.py:Z"})


def test_a_note_of_one_thread_is_not_overwritten_by_what_another_began_to_write_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = Breaker(tmp_path, T0)
    write, waits, noted = breaker_file.write_atomically, threading.Event(), threading.Event()

    def note() -> None:
        breaker.hung("a bundle")
        noted.set()

    def slow_at_first(path: Path, content: bytes) -> None:
        if not waits.is_set():
            waits.set()
            threading.Thread(target=note).start()
            noted.wait(0.3)  # a note that does not wait for this write is on the disk by then
        write(path, content)

    # Forces the second note between the first one's state and its write.
    monkeypatch.setattr(breaker_file, "write_atomically", slow_at_first)
    breaker.trying("gpu")
    assert noted.wait(30)
    assert Breaker(tmp_path, T0).has_hung("a bundle")
