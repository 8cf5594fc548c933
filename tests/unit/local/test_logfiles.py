from __future__ import annotations

import json
import os
import pty
from pathlib import Path

import pytest

from vigie_devkit.local import logfiles
from vigie_devkit.local.colours import wants_colour


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


@pytest.mark.parametrize(
    ("level", "shown"),
    [("info", "info   "), ("warning", "\033[33mwarning\033[0m"), ("error", "\033[31merror  \033[0m")],
)
def test_a_line_on_a_terminal_has_its_level_in_colour(level: str, shown: str) -> None:
    line = json.dumps({"timestamp": "2026-01-02T03:04:05.678Z", "level": level, "module": "sync", "event": "e", "n": 1})
    assert logfiles.readable(line, colour=True) == f"\033[2m03:04:05.678\033[0m {shown} sync       e  n=1"
    assert "\033" not in logfiles.readable(line)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("rtsp://h/\033[2J", r'"rtsp://h/\u001b[2J"'),
        ("a \x9b2J", r'"a \u009b2J"'),
        (["\x9b2J"], r'["\u009b2J"]'),
        ("größer als", '"größer als"'),
    ],
)
def test_a_field_cannot_act_on_the_terminal(value: object, shown: str) -> None:
    assert logfiles.readable(json.dumps({"event": "opened", "source": value})).endswith(f"source={shown}")


def test_colour_is_for_terminals_whose_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    keyboard, screen = pty.openpty()
    try:
        with open(screen, "w", closefd=False) as terminal, (tmp_path / "piped").open("w") as piped:
            assert wants_colour(terminal)
            assert not wants_colour(piped)
            monkeypatch.setenv("TERM", "dumb")
            assert not wants_colour(terminal)
            monkeypatch.setenv("TERM", "xterm")
            monkeypatch.setenv("NO_COLOR", "1")
            assert not wants_colour(terminal)
    finally:
        os.close(keyboard)
        os.close(screen)
