"""A log line that cannot be written is counted and said, and never raises."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import logging, os, sys
from vigie.log import configure_logging, get_logger, lines_lost
configure_logging("sync", style="json")
log = get_logger("x")

class Unprintable:
    def __str__(self): raise RuntimeError("no text")
    __repr__ = __str__

log.info("first")
full, kept = os.open("/dev/full", os.O_WRONLY), os.dup(2)
os.dup2(full, 2)
for n in range(5):
    log.error("unwritten", n=n)
logging.getLogger("other").error("unwritten too")
try:
    raise ValueError
except ValueError:
    log.exception("unwritten as well")
os.dup2(kept, 2)
log.info("unprintable", what=Unprintable())
log.info("after")
log.info("last")
sys.stdout.write(str(lines_lost()))
"""


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="/dev/full is a device of Linux")
def test_lines_that_cannot_be_written_are_counted_and_the_next_line_says_how_many() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["first", "log_lines_lost", "after", "last"]
    assert (lines[1]["count"], lines[1]["level"], lines[1]["module"]) == (8, "warning", "sync")
    assert done.stdout == "8"


def test_a_reader_that_went_away_ends_neither_the_line_nor_the_process() -> None:
    program = """
import os
from vigie.log import configure_logging, get_logger
configure_logging("sync", style="json")
readable, writable = os.pipe()
os.dup2(writable, 2)
os.close(readable)
for _ in range(3):
    get_logger("x").info("into nothing")
os._exit(0)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_reader_that_stands_still_holds_no_thread_and_what_was_lost_is_said_once_it_reads_again() -> None:
    program = """
import json, os, sys
from vigie.log import configure_logging, get_logger, lines_lost
configure_logging("sync", style="json")
log = get_logger("x")
for n in range(40):
    log.info("line", n=n, padding="x" * 9000)
lost = lines_lost()
os.write(1, f"{lost}\\n".encode())
sys.stdin.readline()
log.info("after")
"""
    # 64 KiB of pipe take seven such lines; a write to a full one would wait for ever.
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lost = int(process.stdout.readline())
        assert 0 < lost < 40
        # Room first: otherwise the last line may come before the reader has begun, and is lost like the others.
        assert process.stderr is not None
        before = os.read(process.stderr.fileno(), 1 << 20)
        _, after = process.communicate(b"go on\n", timeout=60)
    lines = [line for line in (before + after).decode().splitlines() if line.endswith("}")]
    assert [json.loads(line)["event"] for line in lines[-2:]] == ["log_lines_lost", "after"]
    assert json.loads(lines[-2])["count"] == lost
