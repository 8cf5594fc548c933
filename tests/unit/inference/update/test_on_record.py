"""The record of releases while two threads change it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from vigie_inference.update.on_record import OnRecord
from vigie_inference.update.record import Record, StoredBundle, committed, refused, rolled_back
from vigie_inference.update.release_store import ReleaseStore
from vigie_inference.update.report import UpdateReport
from vigie_inference.update.wish import RefusedError

ONE = StoredBundle("parts", "1", "1" * 64, "key-1", "folder-1", "digest-1")
TWO = StoredBundle("parts", "2", "2" * 64, "key-2", "folder-2", "digest-2")


class Report:
    def __init__(self) -> None:
        self.told: list[Record] = []

    def stands(self, record: Record) -> None:
        self.told.append(record)


def on_record(folder: Path, report: Any) -> OnRecord:
    return OnRecord(ReleaseStore(folder, ()), cast("UpdateReport", report))


def test_a_change_of_one_thread_is_not_lost_to_what_another_makes_of_the_record_before(tmp_path: Path) -> None:
    report = Report()
    record = on_record(tmp_path, report)
    record.set(committed(Record(), ONE, None))
    taken_back = threading.Event()

    def take_back() -> None:
        record.change(lambda now: rolled_back(now, "its files are damaged"))
        taken_back.set()

    def refuse(now: Record) -> Record:
        threading.Thread(target=take_back).start()
        taken_back.wait(0.3)  # one that does not wait for this change is on record by then
        return refused(now, "key-2", "2", "it is slower")

    record.change(refuse)
    assert taken_back.wait(30)
    assert record.now.serving is None
    assert [one.reason for one in record.now.ended] == ["it is slower", "its files are damaged"]
    assert on_record(tmp_path, Report()).now == record.now, "the next start finds it"
    assert report.told[-1] == record.now


def test_room_is_made_of_what_nothing_goes_back_to_and_no_more(tmp_path: Path) -> None:
    record = on_record(tmp_path, Report())
    for one in (ONE, TWO):
        (tmp_path / one.folder).mkdir()
        (tmp_path / one.folder / "model.onnx").write_bytes(bytes(1000))
    record.set(Record(serving=TWO, kept=(ONE,)))
    record.make_room(needed=1500, limit=4000)
    assert record.now.kept == (ONE,), "there was enough"
    record.make_room(needed=2500, limit=4000)
    assert record.now == Record(serving=TWO)
    assert not (tmp_path / ONE.folder).exists()
    with pytest.raises(RefusedError, match="needs 3500 bytes of disk until it is unpacked, and 1000 are"):
        record.make_room(needed=3500, limit=4000)
    assert record.now == Record(serving=TWO)
