from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigie.frames.cursor import CursorReader, CursorWriter, pack_position, unpack_position

KEY = {"sender": "camera", "output": "frames", "consumer": "preprocess"}
BOOT, OTHER = "8f31a2c4", "00009999"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CursorReader]:
    reader = CursorReader.open(tmp_path, **KEY)
    yield reader
    reader.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CursorWriter]:
    writer = CursorWriter.open(tmp_path, **KEY)
    yield writer
    writer.close()


@pytest.mark.parametrize("sent", [1, 77, (1 << 48) - 1])
def test_a_position_survives_its_word(sent: int) -> None:
    assert unpack_position(pack_position(BOOT, sent), BOOT) == sent
    assert unpack_position(pack_position(BOOT, sent), OTHER) is None


def test_no_cursor_file_and_no_word_yet_are_no_position(tmp_path: Path, reader: CursorReader) -> None:
    assert reader.position(BOOT) is None
    writer = CursorWriter.open(tmp_path, **KEY)
    assert reader.position(BOOT) is None
    writer.advance(BOOT, 3)
    assert reader.position(BOOT) == 3
    writer.close()


def test_the_position_of_another_boot_is_none(writer: CursorWriter, reader: CursorReader) -> None:
    writer.advance(OTHER, 9)
    assert reader.position(BOOT) is None
    writer.advance(BOOT, 1)
    assert (reader.position(BOOT), reader.position(OTHER)) == (1, None)


def test_a_position_never_goes_back_within_a_boot(writer: CursorWriter, reader: CursorReader) -> None:
    for sent in (1, 5, 3):
        writer.advance(BOOT, sent)
    assert reader.position(BOOT) == 5


def test_a_restarted_consumer_goes_on_in_the_same_file(
    tmp_path: Path, writer: CursorWriter, reader: CursorReader
) -> None:
    writer.advance(BOOT, 5)
    assert reader.position(BOOT) == 5
    writer.close()
    again = CursorWriter.open(tmp_path, **KEY)
    assert reader.position(BOOT) == 5
    again.advance(BOOT, 6)
    assert reader.position(BOOT) == 6
    again.close()


def test_both_sides_find_each_other_again_after_the_folder_was_emptied(
    tmp_path: Path, writer: CursorWriter, reader: CursorReader
) -> None:
    writer.advance(BOOT, 5)
    assert reader.position(BOOT) == 5
    for path in tmp_path.iterdir():
        path.unlink()
    assert reader.position(BOOT) is None
    writer.advance(BOOT, 6)
    assert reader.position(BOOT) == 6


@pytest.mark.parametrize("content", [b"", b"VIGIECUR", b"\0" * 24, b"x" * 4096])
def test_a_file_that_is_no_cursor_is_none_for_the_sender_and_replaced_by_the_consumer(
    tmp_path: Path, reader: CursorReader, content: bytes
) -> None:
    (tmp_path / "camera.frames.preprocess.cursor").write_bytes(content)
    assert reader.position(BOOT) is None
    writer = CursorWriter.open(tmp_path, **KEY)
    writer.advance(BOOT, 2)
    assert reader.position(BOOT) == 2
    writer.close()


def test_the_cursor_loads_without_numpy_because_sync_has_none() -> None:
    code = "import sys; import vigie.frames.cursor; raise SystemExit('numpy' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
