"""Files of a model on a mount that does not answer: given up, told, and read again once it does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from vigie.errors import ConfigRefusedError
from vigie_inference import refused_model
from vigie_inference.config import ModelConfig
from vigie_inference.model_files import ModelFiles
from vigie_inference.refused_model import RefusedModel

QUIET_S = 0.5


def hanging(folder: Path) -> Path:
    """A file whose opening waits in the kernel until somebody writes to it."""
    path = folder / "card.yaml"
    folder.mkdir()
    os.mkfifo(path)
    return path


def answer(path: Path) -> None:
    """The mount is back: who waits reads "back"."""
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, b"back")
    os.close(descriptor)


def wait_until_nobody_reads() -> None:
    deadline = time.monotonic() + 30
    while any(thread.name == "inference.files" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_that_does_not_answer_is_refused_and_costs_one_thread_until_it_does(tmp_path: Path) -> None:
    files, path = ModelFiles(QUIET_S), hanging(tmp_path / "hung")
    folder = str(path.parent)
    with pytest.raises(ConfigRefusedError, match=r"hung does not answer for 0 s; check the mount"):
        files.read(folder, path.read_bytes)
    begun_s = time.monotonic()
    for _ in range(3):
        with pytest.raises(ConfigRefusedError, match="does not answer"):
            files.read(folder, path.read_bytes)
    assert time.monotonic() - begun_s < QUIET_S, "refused without another wait"
    assert [thread.name for thread in threading.enumerate()].count("inference.files") == 1
    assert files.read("/another", lambda: 7) == 7
    answer(path)
    wait_until_nobody_reads()
    assert files.read(folder, lambda: 8) == 8


def test_a_read_that_takes_long_and_moves_is_waited_for() -> None:
    def verify() -> int:
        until = time.monotonic() + 4 * QUIET_S
        rounds = 0
        while time.monotonic() < until:
            rounds += sum(range(1000))
            time.sleep(0.01)
        return rounds

    assert ModelFiles(QUIET_S).read("/slow", verify) > 0


@pytest.mark.parametrize("error", [ValueError("x"), TimeoutError("the function's own")], ids=["any", "its-own-timeout"])
def test_what_the_reader_raises_is_raised(error: Exception) -> None:
    def refuse() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        ModelFiles(QUIET_S).read("/x", refuse)


def test_a_refused_model_on_a_mount_that_hangs_is_looked_at_again_once_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "card.yaml").write_text("x", encoding="ascii")
    answers = threading.Event()
    marked = refused_model.mark

    def mark(folders: object) -> refused_model.Mark:
        answers.wait(60)
        return marked(folders)  # type: ignore[arg-type] # passed on as they are

    monkeypatch.setattr(refused_model, "mark", mark)
    monkeypatch.setattr(refused_model, "_QUIET_S", QUIET_S)
    refused = RefusedModel()
    refused.remember(ModelConfig(path=str(tmp_path / "bundle")), ())
    assert [refused.look(), refused.look()] == [False, False]
    answers.set()
    wait_until_nobody_reads()
    assert [refused.look(), refused.look()] == [False, True]
