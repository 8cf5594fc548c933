from __future__ import annotations

import json
import os
from pathlib import Path

from vigie_devkit.local import logfiles


def test_a_log_is_rotated_under_a_writer_that_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "camera.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(1, 6):
            writer.write(b"%d\n" % number * 100)
            assert logfiles.rotate(log, limit_bytes=100, keep=3)
        writer.write(b"last\n")
    assert log.read_text() == "last\n", "a writer that appends must begin at the new start"
    kept = {path.name: path.read_text().split()[0] for path in tmp_path.glob("camera.log.*")}
    assert kept == {"camera.log.1": "5", "camera.log.2": "4", "camera.log.3": "3"}


def test_a_small_log_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "camera.log"
    assert not logfiles.rotate(log)
    log.write_text("x")
    assert not logfiles.rotate(log)


def test_a_new_run_begins_an_empty_log_and_keeps_the_former(tmp_path: Path) -> None:
    log = tmp_path / "camera.log"
    log.write_text("former\n")
    logfiles.begin(log)
    assert not log.exists()
    assert (tmp_path / "camera.log.1").read_text() == "former\n"
    logfiles.begin(log)


def test_the_last_words_are_the_last_error_not_the_last_line(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    lines = [
        {
            "event": "port_busy",
            "level": "error",
            "module": "hub",
            "port": 8883,
            "timestamp": "2026-01-02T03:04:05.678Z",
        },
        {"event": "stopped", "level": "info", "module": "hub"},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert logfiles.last_words(log) == "03:04:05.678 error   hub        port_busy  port=8883"
    log.write_text("Traceback (most recent call last):\nImportError: no cv2\n")
    assert logfiles.last_words(log) == "ImportError: no cv2"
    log.write_text("")
    assert logfiles.last_words(log) == "it said nothing"


def test_following_gives_whole_lines_once_and_survives_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "camera.log"
    log.write_text("old\n")
    positions = {log: log.stat().st_size}
    with log.open("a") as writer:
        writer.write("one\ntw")
    assert [line for _, line in logfiles.follow(positions)] == ["one"]
    with log.open("a") as writer:
        writer.write("o\n")
    assert [line for _, line in logfiles.follow(positions)] == ["two"]
    os.truncate(log, 0)
    assert list(logfiles.follow(positions)) == []
    log.write_text("new\n")
    assert [line for _, line in logfiles.follow(positions)] == ["new"]


def test_the_tail_of_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "camera.log"
    log.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert logfiles.tail(log, 3) == ["99997", "99998", "99999"]
    assert logfiles.tail(tmp_path / "absent", 3) == []
