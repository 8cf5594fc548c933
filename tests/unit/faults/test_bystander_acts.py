"""What the bystander does beside the containers, run as it runs there: from source, with words."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from vigie_devkit.faults import bystander_acts
from vigie_edgehub.message import Message
from vigie_edgehub.upstream import open_sink

SOURCE = Path(bystander_acts.__file__).read_text(encoding="utf-8")


def act(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-B", "-c", SOURCE, *words], capture_output=True, text=True, timeout=60, check=False
    )


def message(number: int) -> Message:
    return Message(
        key=f"key-{number}",
        source_module="sync",
        output="telemetry",
        kind="Telemetry",
        body=b'{"n":%d}' % number,
        system={"contentType": "application/json", "contentEncoding": "utf-8"},
        application={},
        stored_at=1_700_000_000.0,
    )


def test_the_record_is_followed_from_before_it_exists_until_its_starter_is_gone(tmp_path: Path) -> None:
    following = subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", SOURCE, "follow", str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert following.stdout is not None
        assert following.stdin is not None
        (tmp_path / "upstream").mkdir()
        with open_sink(tmp_path / "upstream", {}) as sink:
            sink.append([message(1)])
            first = json.loads(following.stdout.readline())
            sink.append([message(2)])
            second = json.loads(following.stdout.readline())
        assert (first[:2], base64.b64decode(first[2])) == ([1, "sync"], b'{"n":1}')
        assert (second[:2], base64.b64decode(second[2])) == ([2, "sync"], b'{"n":2}')
        following.stdin.close()
        assert following.wait(20) == 0
    finally:
        following.kill()
        following.wait(10)


def test_a_ledger_is_read_with_what_is_only_in_its_log_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        ledger.execute("PRAGMA journal_mode=WAL")
        ledger.execute("CREATE TABLE items(trace TEXT)")
        ledger.execute("INSERT INTO items VALUES ('c-1')")
        ledger.commit()
        before = sorted(path.name for path in tmp_path.iterdir())
        assert "ledger.db-wal" in before
        done = act("ledger", str(tmp_path))
        assert (done.returncode, json.loads(done.stdout)) == (0, ["c-1"])
        assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_process_is_signalled_and_an_unknown_word_refused() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert act("signal", str(child.pid), "9").returncode == 0
        assert child.wait(10) == -signal.SIGKILL
    finally:
        child.kill()
        child.wait(10)
    assert act("clock").returncode == 1


def test_a_volume_is_filled_but_for_what_is_to_be_left_and_freed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (3 << 20) + 5000

    def room(folder: Path) -> int:
        return size - sum(path.stat().st_size for path in folder.iterdir())

    monkeypatch.setattr(bystander_acts, "room", room)  # a small volume without the right to mount one
    bystander_acts.fill(tmp_path, 100)
    assert room(tmp_path) == 100
    assert act("free", str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []
