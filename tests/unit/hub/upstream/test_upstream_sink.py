"""The upstream record keeps what it acknowledged, in order, once, within its bounds."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from vigie_edgehub.errors import HubStartError, UpstreamUnreadableError
from vigie_edgehub.message import Message
from vigie_edgehub.upstream import SqliteSink, UpstreamFilter, UpstreamReader, UpstreamSettings, open_sink

DAY_S = 86_400.0
SMALLEST = 1 << 20


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def message(n: int, *, module: str = "sync", body: bytes | None = None, key: str | None = None) -> Message:
    return Message(
        key=key or f"key-{n}",
        source_module=module,
        output="telemetry",
        kind="Telemetry",
        body=body if body is not None else b'{"n":%d}' % n,
        system={"contentType": "application/json", "contentEncoding": "utf-8", "messageId": f"m{n}"},
        application={"n": str(n)},
        stored_at=1_700_000_000.0,
    )


def numbers(reader: Any, **kwargs: Any) -> list[int]:
    return [int(r.properties["n"]) for r in reader.read(UpstreamFilter(**kwargs))]


def test_what_was_appended_is_read_in_order_by_another_connection_while_the_writer_runs(tmp_path: Path) -> None:
    with open_sink(tmp_path, {}) as sink:
        sink.append([message(n) for n in range(100)])
        sink.append([message(n) for n in range(100, 150)])
        with UpstreamReader(sink.file) as reader:
            assert numbers(reader) == list(range(150))
            assert reader.last_sequence() == sink.last_sequence == 150


def test_the_record_is_readable_after_the_writer_closed_it(tmp_path: Path) -> None:
    with open_sink(tmp_path, {}) as sink:
        sink.append([message(1)])
    with UpstreamReader(tmp_path / "upstream.sqlite") as reader:
        assert numbers(reader) == [1]


def test_a_known_key_is_skipped_and_counted(tmp_path: Path) -> None:
    with open_sink(tmp_path, {}) as sink:
        sink.append([message(1), message(2)])
        sink.append([message(2), message(3)])
        with UpstreamReader(sink.file) as reader:
            assert numbers(reader) == [1, 2, 3]
        assert sink.counters["duplicates"] == 1
        assert sink.counters["messages"] == 3


def test_beyond_its_bytes_the_record_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    with open_sink(tmp_path, {"max_bytes": SMALLEST}) as sink:
        for n in range(0, 60, 4):
            sink.append([message(m, body=b"x" * 40_000) for m in range(n, n + 4)])
        assert sink.counters["bytes"] <= SMALLEST
        with UpstreamReader(sink.file) as reader:
            kept = numbers(reader)
            assert kept == list(range(60 - len(kept), 60))
            assert reader.counters()["trimmed_by_size"] == 60 - len(kept) > 0
            held = sum(row[0] for row in reader._db.execute("SELECT size FROM messages"))
        assert held == sink.counters["bytes"]
        assert sink.counters["messages"] == len(kept)


def test_the_file_stops_growing_at_its_bound(tmp_path: Path) -> None:
    with open_sink(tmp_path, {"max_bytes": SMALLEST}) as sink:
        for n in range(400):
            sink.append([message(n, body=b"x" * 20_000)])
    assert (tmp_path / "upstream.sqlite").stat().st_size < 2 * SMALLEST


def test_messages_beyond_their_age_go_first_to_last(tmp_path: Path) -> None:
    clock = Clock()
    with SqliteSink(tmp_path / "upstream.sqlite", UpstreamSettings(max_age_s=60), clock=clock) as sink:
        sink.append([message(1), message(2)])
        clock.now += 50
        sink.append([message(3)])
        clock.now += 50
        sink.append([message(4)])
        with UpstreamReader(sink.file) as reader:
            assert numbers(reader) == [3, 4]
        assert sink.counters["trimmed_by_age"] == 2


def test_a_clock_set_30_days_ahead_trims_nothing_and_age_counts_again_when_it_is_set_back(tmp_path: Path) -> None:
    wall, steady = Clock(1e9), Clock(0.0)
    settings = UpstreamSettings(max_age_s=7 * DAY_S)

    def pass_time(seconds: float) -> None:
        wall.now += seconds
        steady.now += seconds

    with SqliteSink(tmp_path / "upstream.sqlite", settings, clock=wall, steady=steady) as sink:
        sink.append([message(1), message(2)])
        wall.now += 30 * DAY_S
        sink.append([message(3)])
        pass_time(DAY_S)
        sink.append([message(4)])
        assert sink.counters["trimmed_by_age"] == 0
        wall.now -= 30 * DAY_S
        pass_time(5 * DAY_S)
        sink.append([message(5)])
        assert sink.counters["trimmed_by_age"] == 0
        pass_time(2 * DAY_S)
        sink.append([message(6)])
        assert sink.counters["trimmed_by_age"] == 2


def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_the_bound(tmp_path: Path) -> None:
    wall, steady = Clock(1e9), Clock(0.0)
    with SqliteSink(tmp_path / "u.sqlite", UpstreamSettings(max_age_s=DAY_S), clock=wall, steady=steady) as sink:
        sink.append([message(1)])
        wall.now += 30 * DAY_S
        for n, trimmed in ((2, 0), (3, 0), (4, 2)):
            sink.append([message(n)])
            assert sink.counters["trimmed_by_age"] == trimmed
            wall.now += DAY_S / 2 + 1
            steady.now += DAY_S / 2 + 1


@pytest.mark.parametrize(("boot", "trimmed"), [("same", 0), ("another", 2)])
def test_a_hub_that_starts_anew_after_the_clock_jumped_knows_it_as_long_as_the_machine_runs_on(
    tmp_path: Path, boot: str, trimmed: int
) -> None:
    wall, steady = Clock(1e9), Clock(0.0)
    settings = UpstreamSettings(max_age_s=7 * DAY_S)
    with SqliteSink(tmp_path / "u.sqlite", settings, clock=wall, steady=steady, boot="same") as sink:
        sink.append([message(1), message(2)])
    wall.now += 30 * DAY_S
    for n in (3, 4):  # killed once more: still the same jump
        with SqliteSink(tmp_path / "u.sqlite", settings, clock=wall, steady=steady, boot=boot) as sink:
            sink.append([message(n)])
            assert sink.counters["trimmed_by_age"] == trimmed
    wall.now -= 30 * DAY_S
    wall.now += 8 * DAY_S
    steady.now += 8 * DAY_S
    with SqliteSink(tmp_path / "u.sqlite", settings, clock=wall, steady=steady, boot="same") as sink:
        sink.append([message(5)])
        assert sink.counters["trimmed_by_age"] == 2
        # What came while the clock was ahead is newer than it will ever look: it stays.
        with UpstreamReader(tmp_path / "u.sqlite") as reader:
            assert numbers(reader) == [3, 4, 5]


def test_sequence_numbers_never_fall_back_even_when_everything_was_trimmed_and_the_hub_restarted(
    tmp_path: Path,
) -> None:
    clock = Clock()
    settings = UpstreamSettings(max_age_s=60)
    with SqliteSink(tmp_path / "upstream.sqlite", settings, clock=clock) as sink:
        sink.append([message(n) for n in range(5)])
    clock.now += 1000
    with SqliteSink(tmp_path / "upstream.sqlite", settings, clock=clock) as sink:
        assert sink.last_sequence == 5
        sink.append([message(9)])
        assert sink.last_sequence == 6


def test_a_failed_append_records_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    with open_sink(tmp_path, {}) as sink:
        sink.append([message(1)])
        sink._db.execute("CREATE TRIGGER full BEFORE INSERT ON messages WHEN NEW.key = 'key-3' BEGIN "
                         "SELECT RAISE(ABORT, 'database or disk is full'); END")  # fmt: skip
        with pytest.raises(sqlite3.Error):
            sink.append([message(2), message(3)])
        sink._db.execute("DROP TRIGGER full")
        sink.append([message(2), message(3)])
        with UpstreamReader(sink.file) as reader:
            assert numbers(reader) == [1, 2, 3]
        assert sink.counters["messages"] == 3


def test_filters_select_by_module_and_time_and_last_ones(tmp_path: Path) -> None:
    clock = Clock(1000.0)
    with SqliteSink(tmp_path / "upstream.sqlite", UpstreamSettings(max_age_s=1e9), clock=clock) as sink:
        for n in range(10):
            clock.now = 1000.0 + n
            sink.append([message(n, module="a" if n % 2 else "b")])
        with UpstreamReader(sink.file) as reader:
            assert numbers(reader, module="a") == [1, 3, 5, 7, 9]
            assert numbers(reader, since=1003.0, until=1006.0) == [3, 4, 5]
            assert numbers(reader, module="nobody") == []
            after = reader.start_of_last(2, UpstreamFilter(module="a"))
            assert [r.properties["n"] for r in reader.read(UpstreamFilter(module="a"), after=after)] == ["7", "9"]
            assert list(reader.read(after=reader.start_of_last(0))) == []


def test_following_gives_what_is_there_and_then_what_arrives(tmp_path: Path) -> None:
    with open_sink(tmp_path, {}) as sink:
        sink.append([message(0), message(1)])
        with UpstreamReader(sink.file) as reader:
            stream = reader.follow(after=1, poll_s=0.005)
            assert next(stream).properties["n"] == "1"
            sink.append([message(2), message(3)])
            assert [next(stream).properties["n"] for _ in range(2)] == ["2", "3"]


def test_everything_acknowledged_survives_kill_9_of_the_writer(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, pathlib
        from tests_message import message
        from vigie_edgehub.upstream import open_sink
        with open_sink(pathlib.Path(sys.argv[1]), {}) as sink:
            n = 0
            while True:
                sink.append([message(n), message(n + 1)])
                n += 2
                print(n, flush=True)
        """
    )
    (tmp_path / "tests_message.py").write_text(
        "from vigie_edgehub.message import Message\n"
        "def message(n):\n"
        "    return Message(key=str(n), source_module='m', output=None, kind='Telemetry',\n"
        "        body=b'x' * 3000, system={}, application={'n': str(n)}, stored_at=0.0)\n"
    )
    (tmp_path / "writer.py").write_text(program)
    record = tmp_path / "record"
    writer = subprocess.Popen([sys.executable, tmp_path / "writer.py", record], stdout=subprocess.PIPE, text=True)
    acknowledged = 0
    while acknowledged < 200:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged = int((writer.communicate()[0].split() or [acknowledged])[-1])
    with UpstreamReader(record / "upstream.sqlite") as reader:
        found = numbers(reader)
    assert found[:acknowledged] == list(range(acknowledged))
    assert len(found) in (acknowledged, acknowledged + 2)
    with open_sink(record, {}) as sink:
        assert sink.counters["messages"] == len(found)


def test_a_record_of_a_newer_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "upstream.sqlite")
    db.execute("PRAGMA user_version=7")
    db.close()
    with pytest.raises(HubStartError, match="newer Vigie \\(format 7, this one knows 1\\)"):
        open_sink(tmp_path, {})
    with pytest.raises(UpstreamUnreadableError, match="format 7"):
        UpstreamReader(tmp_path / "upstream.sqlite")


def test_a_file_that_is_no_record_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "upstream.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(HubStartError, match="move the file away"):
        open_sink(tmp_path, {})
    with pytest.raises(UpstreamUnreadableError, match="cannot be read"):
        UpstreamReader(tmp_path / "upstream.sqlite")


def test_a_missing_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreadableError, match="there is no such file"):
        UpstreamReader(tmp_path / "upstream.sqlite")


def test_unknown_settings_are_refused_by_name() -> None:
    with pytest.raises(HubStartError, match="max_megabytes"):
        open_sink("unused", {"max_megabytes": 3})
