"""The commands of the README, run as they stand there."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from support.data import real_input
from support.terminal import in_terminal, too_wide
from vigie.config.schema import decode_config
from vigie.models import load_bundle
from vigie_inference.config import InferenceConfig

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """Lines of the ``sh`` blocks, in order; the test command itself is what runs this."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines() if line]
    return [line for line in lines if line not in {"./vigie test", "./vigie check"}]


def test_the_readme_has_commands() -> None:
    assert any(line.startswith("./vigie up") for line in commands())


@pytest.mark.timeout(1200)
def test_every_command_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    # A folder as a newcomer has it: the script, a video and a model under the names that the README uses.
    (tmp_path / "vigie").symlink_to(ROOT / "vigie")
    (tmp_path / "video.mp4").symlink_to(real_input("bottle-detection.mp4"))
    (tmp_path / "yolox_nano.onnx").symlink_to(real_input("yolox_nano.onnx"))
    environ = {**os.environ, "VIGIE_HOME": str(tmp_path / "home"), "NO_COLOR": "1", "TERM": "xterm"}
    for number, line in enumerate(commands()):
        columns = (80, 200)[number % 2]
        code, shown = in_terminal(line, columns, cwd=tmp_path, environ=environ)
        assert code == 0, f"{line}\n{shown[-4000:]}"
        assert "Traceback" not in shown, line
        if line.startswith("./vigie up"):
            assert too_wide(shown, columns) == [], line


def test_a_twin_edit_of_the_readme_is_accepted_by_the_model_that_ships() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    labels = set(load_bundle(ROOT / "shared/models/conveyor-parts").card.labels)
    edits = re.findall(r"\./vigie twin set inference '([^']*)'", text)
    assert edits
    for edit in edits:
        config = decode_config(InferenceConfig, json.loads(edit))
        assert set(config.classes or ()) <= labels, edit
