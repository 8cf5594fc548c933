"""What commands print in terminals of 80 and 200 columns: every line fits. In a pipe: one line for each record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

from support import models
from support.manifest_draft import Draft
from support.terminal import in_terminal, plain_lines
from vigie_edgehub.message import Message
from vigie_edgehub.upstream import open_sink

PROGRAM = f"{sys.executable} -I -m vigie_devkit"
BODY = json.dumps(
    {"schema": "vigie.events/1", "module": "sync", "items": [{"camera": "dock", "n": n} for n in range(40)]}
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a manifest with a mistake, and what three messages left upstream."""
    folder = tmp_path_factory.mktemp("site")
    metadata = models.ultralytics_metadata(imgsz="[96, 96]")
    onnx.save(models.yolov8((96, 96), metadata=metadata), folder / "best.onnx")
    draft = Draft()
    draft.host("sync")["Memory"] = "512m"
    (folder / "manifest.json").write_text(json.dumps(draft.content))
    (folder / "hub/upstream").mkdir(parents=True)
    with open_sink(folder / "hub/upstream", {}) as sink:
        sink.append(
            [
                Message(
                    key=str(number),
                    source_module="sync",
                    output="telemetry",
                    kind="telemetry",
                    body=BODY.encode(),
                    stored_at=time.time(),
                    application={},
                    system={"contentType": "application/json", "contentEncoding": "utf-8"},
                )
                for number in range(3)
            ]
        )
    return folder


COMMANDS = [
    "doctor",
    "models import best.onnx --output bundle-{columns}",
    "models list",
    "models inspect conveyor-parts",
    "manifest lint manifest.json",
    "upstream tail --state hub",
    "faults --list",
]


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("words", COMMANDS)
def test_every_line_fits_the_terminal(words: str, columns: int, site: Path) -> None:
    environ = {**os.environ, "VIGIE_HOME": str(site / "home"), "TERM": "xterm"}
    line = f"{PROGRAM} {words.format(columns=columns)}"
    code, shown = in_terminal(line, columns, cwd=site, environ=environ)
    assert code == (1 if "manifest.json" in words else 0), shown
    lines = plain_lines(shown)
    assert lines
    assert [line for line in lines if len(line) > columns and _could_be_shorter(line)] == []


def _could_be_shorter(line: str) -> bool:
    """A path alone on its line, or a command that can be copied, cannot."""
    return len(line.split()) > 1 and "./vigie " not in line


def test_a_narrow_terminal_shows_a_message_in_two_lines_and_a_pipe_gets_one(site: Path) -> None:
    environ = {**os.environ, "VIGIE_HOME": str(site / "home"), "TERM": "xterm"}
    line = f"{PROGRAM} upstream tail --state hub"
    assert len(plain_lines(in_terminal(line, 80, cwd=site, environ=environ)[1])) == 6
    assert len(plain_lines(in_terminal(line, 200, cwd=site, environ=environ)[1])) == 3
    done = subprocess.run(line.split(), cwd=site, env=environ, capture_output=True, text=True, check=True)
    assert [each.split()[0] for each in done.stdout.splitlines()] == ["1", "2", "3"]


@pytest.mark.parametrize("words", ["doctor", "models list", "manifest lint manifest.json"])
def test_a_pipe_gets_lines_that_are_not_wrapped(words: str, site: Path) -> None:
    environ = {**os.environ, "VIGIE_HOME": str(site / "home")}
    done = subprocess.run(
        f"{PROGRAM} {words}".split(), cwd=site, env=environ, capture_output=True, text=True, check=False
    )
    assert max(map(len, done.stdout.splitlines())) > 80
    if words == "models list":
        assert len(done.stdout.splitlines()) == 1
