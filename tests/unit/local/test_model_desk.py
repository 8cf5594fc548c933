"""A model file dropped on the page: imported apart by evidence, refused in words, kept off every shelf."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from support import models
from support.modules import until
from vigie.contracts.dropped import SOCKET_NAME, DroppedAnswer, DroppedFile, ImportChoices
from vigie.models import load_bundle
from vigie.sandbox.landlock import landlock_version
from vigie.socket_paths import short_socket_path
from vigie_devkit.local.model_desk import FOLDER_NAME, serve_model_desk
from vigie_devkit.local.paths import bundle_shelves


async def connect(run: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with short_socket_path(run, SOCKET_NAME) as short:
        return await asyncio.open_unix_connection(short, limit=1 << 22)


async def drop(run: Path, name: str, content: bytes, choices: ImportChoices | None = None) -> DroppedAnswer:
    reader, writer = await connect(run)
    try:
        writer.write(msgspec.json.encode(DroppedFile(name, len(content), choices or ImportChoices())) + b"\n")
        may = msgspec.json.decode(await reader.readline(), type=DroppedAnswer)
        if may.reason:
            return may
        writer.write(content)
        return msgspec.json.decode(await reader.readline(), type=DroppedAnswer)
    finally:
        writer.close()


def unnamed_yolov8(folder: Path) -> bytes:
    return models.save(models.yolov8(), folder, "file.onnx").read_bytes()


async def test_what_the_evidence_leaves_open_is_refused_with_its_choice_and_imported_once_it_is_made(
    tmp_path: Path,
) -> None:
    content, told = unnamed_yolov8(tmp_path), []
    run = tmp_path / "run"
    run.mkdir()
    async with serve_model_desk(run, told.append):
        refused = await drop(run, "../best of all.onnx", content)
        assert "pass --labels with 3 names" in refused.reason
        assert refused.imported is None
        assert "yolov8" in refused.families
        assert "rgb/0..1" in refused.inputs
        assert str(tmp_path) not in refused.reason
        assert list((run / FOLDER_NAME).iterdir()) == []
        chosen = await drop(run, "../best of all.onnx", content, ImportChoices(labels=["nut", "bolt", "screw"]))
        assert chosen.imported is not None
        assert chosen.imported.sha256 == hashlib.sha256(content).hexdigest()
        assert (chosen.imported.name, chosen.imported.labels) == ("best-of-all", ["nut", "bolt", "screw"])
        assert {one.question for one in chosen.imported.concluded} >= {"input", "trial"}
        assert "seccomp" in chosen.imported.confined
        assert ("landlock" in chosen.imported.confined) == bool(landlock_version())
        bundle = Path(chosen.imported.path)
        assert load_bundle(bundle).card.labels == ("nut", "bolt", "screw")
        # No name leads to it: it is on no shelf, and no file of the person's is left beside it.
        assert bundle.is_relative_to(run / FOLDER_NAME)
        assert not any(bundle.is_relative_to(shelf) for shelf in bundle_shelves())
        assert [path.name for path in bundle.parents[1].iterdir()] == ["bundle"]
    assert [line.rpartition(" ")[2] for line in told] == ["names", "tried"]
    assert not (run / FOLDER_NAME).exists()  # it goes with the run


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.onnx", b"no model at all", "is not ONNX or is truncated"),
        ("x.zip", b"PK no archive", "cannot be unpacked"),
        ("x.exe", b"MZ", "expected an .onnx file"),
    ],
)
async def test_what_is_not_a_model_is_refused_in_words_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    async with serve_model_desk(tmp_path, lambda _: None):
        assert reason in (await drop(tmp_path, name, content)).reason
        assert list(tmp_path.glob(f"{FOLDER_NAME}/*")) == []


async def test_one_file_is_imported_at_a_time_and_one_that_does_not_come_whole_leaves_nothing(tmp_path: Path) -> None:
    async with serve_model_desk(tmp_path, lambda _: None):
        reader, writer = await connect(tmp_path)
        writer.write(msgspec.json.encode(DroppedFile("x.onnx", 100)) + b"\n")
        assert await reader.readline() == b"{}\n"
        writer.write(b"half of it")
        await until(lambda: list(tmp_path.glob(f"{FOLDER_NAME}/*/x.onnx")), what="a file that comes")
        assert "another file" in (await drop(tmp_path, "y.onnx", b"y")).reason
        writer.close()
        await until(lambda: not list(tmp_path.glob(f"{FOLDER_NAME}/*")), what="the half file gone")
        assert "is not ONNX" in (await drop(tmp_path, "y.onnx", b"y")).reason


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"name": "x.onnx", "bytes": 999999999999}\n', b'{"name": "x.onnx"}\n']
)
async def test_a_request_that_is_none_is_refused(tmp_path: Path, line: bytes) -> None:
    async with serve_model_desk(tmp_path, lambda _: None):
        reader, writer = await connect(tmp_path)
        writer.write(line)
        assert msgspec.json.decode(await reader.readline(), type=DroppedAnswer).reason
        writer.close()


CHILD = """
import errno, json, os, pathlib, socket, subprocess, sys
from vigie_devkit.models.dropped import confine

own, other = map(pathlib.Path, sys.argv[1:])
confined = confine(own)

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

print(json.dumps({
    "own file": tried(lambda: (own / "made").write_text("x")),
    "read another": tried(lambda: other.read_text()),
    "write another": tried(lambda: other.write_text("x")),
    "program": tried(lambda: subprocess.run(["/bin/true"])),
    "fork": tried(os.fork),
    "network": tried(lambda: socket.socket(socket.AF_INET)),
    "unix socket": tried(lambda: socket.socket(socket.AF_UNIX)),
    "signal": tried(lambda: os.kill(os.getppid(), 0)),
    "confined": confined,
}))
"""


def test_who_imports_a_strangers_file_starts_nothing_calls_nobody_and_has_only_its_own_folder(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other.txt"
    own.mkdir()
    other.write_text("a secret of this person", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(own), str(other)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers["own file"] == "done"
    refused = {"program", "fork", "network", "unix socket", "signal"}
    if "landlock" in answers["confined"]:
        refused |= {"read another", "write another"}
    assert {what: answer for what, answer in answers.items() if what in refused and answer == "done"} == {}
    assert other.read_text(encoding="utf-8") == "a secret of this person"


async def test_an_import_that_is_killed_is_told_and_the_next_one_works(tmp_path: Path) -> None:
    content = unnamed_yolov8(tmp_path)
    run = tmp_path / "run"
    run.mkdir()

    def child() -> int | None:
        for folder in Path("/proc").iterdir():
            try:
                command, parent = (folder / "cmdline").read_bytes(), (folder / "stat").read_text().rpartition(")")[2]
            except OSError:
                continue
            if b"vigie_devkit.models.dropped" in command and int(parent.split()[1]) == os.getpid():
                return int(folder.name)
        return None

    async with serve_model_desk(run, lambda _: None):
        asked = asyncio.create_task(drop(run, "x.onnx", content))
        os.kill(await until(child, what="an import at work"), signal.SIGKILL)
        answer = await asked
        assert "signal 9" in answer.reason
        assert "apart from everything that serves" in answer.reason
        assert "pass --labels" in (await drop(run, "x.onnx", content)).reason
