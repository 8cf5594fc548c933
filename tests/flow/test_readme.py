"""The commands of the README, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.data import real_input

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """Lines of the ``sh`` blocks, in order; the test command itself is what runs this."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines() if line]
    return [line for line in lines if line not in {"./vigie test", "./vigie check"}]


def test_the_readme_has_commands() -> None:
    assert any(line.startswith("./vigie up") for line in commands())


@pytest.mark.timeout(400)
def test_every_command_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    # A folder as a newcomer has it: the script, a video and a model under the names that the README uses.
    (tmp_path / "vigie").symlink_to(ROOT / "vigie")
    (tmp_path / "video.mp4").symlink_to(real_input("bottle-detection.mp4"))
    (tmp_path / "yolox_nano.onnx").symlink_to(real_input("yolox_nano.onnx"))
    for line in commands():
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**os.environ, "VIGIE_HOME": str(tmp_path / "home"), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stderr, line
