"""What is erased is gone: from what is sent, from the numbers, and from the disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from vigie.ledger import verify
from vigie.ledger.erase_request import Erase
from vigie.ledger.erasure import Erasure
from vigie.ledger.ledger import Ledger
from vigie.ledger.packing import Packing
from vigie.ledger.priorities import Priority
from vigie.ledger.rows import LedgerEntry

NO_LIMIT = 1 << 40
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def frame(camera: str, seq: int, minute: int | None = None) -> LedgerEntry:
    """Of ``minute`` after noon; its body holds words that can be looked for on the disk."""
    body = {"camera": camera, "seq": seq, "pad": f"{camera}/{seq}/face"}
    if minute is not None:
        body["captured_at"] = (NOON + timedelta(minutes=minute)).isoformat()
    return LedgerEntry(f"{camera}-{seq}", camera, json.dumps(body).encode())


def event(camera: str, seq: int, from_minute: int, to_minute: int) -> LedgerEntry:
    started, at = ((NOON + timedelta(minutes=one)).isoformat() for one in (from_minute, to_minute))
    body = {"type": "object", "camera": camera, "seq": seq, "started_at": started, "at": at}
    return LedgerEntry(f"event/{camera}-{seq}/end/x", camera, json.dumps(body).encode(), Priority.EVENT)


@pytest.mark.parametrize("misspelt", ["untill", "cameras", "sinse"])
def test_a_misspelt_bound_is_refused_and_not_left_out(misspelt: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=misspelt):
        msgspec.convert({"camera": "dock", misspelt: "2026-03-01T08:00:00+01:00"}, Erase)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: str) -> Iterator[Ledger]:
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def drain(ledger: Ledger) -> list[tuple[str, int]]:
    sent = []
    while (batch := ledger.next_batch("sync", 100, lambda _: 100_000, Packing())) is not None:
        sent += [(item["camera"], item["seq"]) for item in json.loads(batch.body)["items"]]
        ledger.acknowledge(batch)
    return sent


def test_a_camera_goes_from_all_queues_and_the_rest_is_sent_in_order(ledger: Ledger) -> None:
    ledger.record([frame(("dock", "yard")[n % 3 == 0], n) for n in range(1200)], NO_LIMIT)
    ledger.record([event(("dock", "yard")[n % 2], n, 0, 1) for n in range(6)], NO_LIMIT)
    erased = ledger.erase(Erasure(camera="yard"))
    assert erased.items == Counter(yard=403)
    assert (erased.undated, erased.on_their_way) == (0, 0)
    backlog = ledger.backlog()
    assert backlog.items == 803
    kept = [("dock", n) for n in (0, 2, 4)] + [("dock", n) for n in range(1200) if n % 3]
    assert sum(one.bytes for one in backlog.waiting.values()) == sum(
        entry.size for entry in [*(event("dock", n, 0, 1) for n in (0, 2, 4)), *(frame(*one) for one in kept[3:])]
    )
    verify.verify(ledger._db)
    assert drain(ledger) == kept
    assert all(one.bytes == 0 for one in ledger.backlog().waiting.values())


def test_a_span_of_time_goes_with_both_its_ends_and_with_events_that_reach_into_it(ledger: Ledger) -> None:
    ledger.record([frame("dock", n, n) for n in range(10)], NO_LIMIT)
    spans = [(0, 2), (0, 3), (4, 4), (6, 9), (7, 9)]
    ledger.record([event("dock", 100 + n, *span) for n, span in enumerate(spans)], NO_LIMIT)
    since, until = NOON + timedelta(minutes=3), NOON + timedelta(minutes=6)
    erased = ledger.erase(Erasure(since=since, until=until))
    assert erased.items.total() == 4 + 3
    assert drain(ledger) == [("dock", 100), ("dock", 104)] + [("dock", n) for n in (0, 1, 2, 7, 8, 9)]


def test_other_time_zones_are_the_same_moments(ledger: Ledger) -> None:
    ledger.record([frame("dock", n, n) for n in range(4)], NO_LIMIT)
    erased = ledger.erase(Erasure(since=datetime.fromisoformat("2026-03-01T17:32:00+05:30")))
    assert erased.items.total() == 2
    assert drain(ledger) == [("dock", 0), ("dock", 1)]


def test_what_does_not_say_when_it_was_is_kept_and_counted(ledger: Ledger) -> None:
    ledger.record([frame("dock", 1, 1), frame("dock", 2), frame("yard", 3)], NO_LIMIT)
    erased = ledger.erase(Erasure(camera="dock", until=NOON + timedelta(hours=1)))
    assert (erased.items, erased.undated) == (Counter(dock=1), 1)
    assert drain(ledger) == [("dock", 2), ("yard", 3)]


def test_what_is_being_sent_is_left_and_told(ledger: Ledger) -> None:
    ledger.record([frame("dock", 1), frame("yard", 2), frame("dock", 3)], NO_LIMIT)
    batch = ledger.next_batch("sync", 2, lambda _: 100_000, Packing())
    erased = ledger.erase(Erasure(camera="dock"))
    assert (erased.items, erased.on_their_way) == (Counter(dock=1), 1)
    assert ledger.next_batch("sync", 2, lambda _: 100_000, Packing()) == batch
    ledger.acknowledge(batch)
    assert drain(ledger) == []


def test_nothing_of_it_is_left_on_the_disk_and_it_does_not_come_back(path: str) -> None:
    with_both = [frame("dock", n) for n in range(300)] + [frame("yard", n) for n in range(300)]
    ledger = Ledger(path)
    ledger.record(with_both, NO_LIMIT)
    ledger.erase(Erasure(camera="yard"))
    on_disk = b"".join(one.read_bytes() for one in path.parent.iterdir())
    assert b"dock/299/face" in on_disk
    assert b"yard/" not in on_disk
    # The hub sends again what it did not see acknowledged.
    assert ledger.record(with_both, NO_LIMIT).new == [False] * 600
    ledger.close()
    again = Ledger(path)
    assert drain(again) == [("dock", n) for n in range(300)]
    again.close()


def test_erasing_everything_and_nothing(ledger: Ledger) -> None:
    assert ledger.erase(Erasure(camera="dock")).items.total() == 0
    ledger.record([frame("dock", n) for n in range(3)], NO_LIMIT)
    assert ledger.erase(Erasure(camera="gate")).items.total() == 0
    assert ledger.erase(Erasure(camera="dock")).items.total() == 3
    ledger.record([frame("dock", 9)], NO_LIMIT)
    assert drain(ledger) == [("dock", 9)]
