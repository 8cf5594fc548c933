"""The last good twin on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.config.desired import Desired
from vigie.config.lastgood import LastGood


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    LastGood(tmp_path / "new").save(Desired(7, {"fps": 5, "tags": ["a"]}))
    assert LastGood(tmp_path / "new").load() == Desired(7, {"fps": 5, "tags": ["a"]})


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b'{"schema":"vigie.lastgood/1"}', b"\xff\xfe",
        b'{"schema":"vigie.lastgood/9","version":1,"properties":{}}',
        b'{"schema":"other/1","version":1,"properties":{}}',
    ],
    ids=["empty", "torn", "incomplete", "not text", "of a newer module", "something else"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    last_good = LastGood(tmp_path)
    last_good.path.write_bytes(content)
    assert last_good.load() is None


def test_no_file_is_no_twin(tmp_path: Path) -> None:
    assert LastGood(tmp_path).load() is None


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    LastGood(tmp_path / "file").save(Desired(1, {}))
