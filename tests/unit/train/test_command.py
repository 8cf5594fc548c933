"""`models train`: what is asked for, and what is said where PyTorch is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from vigie_devkit.cli import main
from vigie_devkit.train.torch_needed import REQUIREMENT

ROOT = Path(__file__).parents[3]

# A Python that finds every package but one, whether or not that one is installed here.
WITHOUT_TORCH = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find(name, package)
sys.modules["torch"] = None
from vigie_devkit.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def test_a_missing_pytorch_is_one_sentence_that_says_what_to_run() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "models", "train"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(
        r"vigie: training needs PyTorch, which is not installed; run: \S+ -m pip install torch==2\.13\.0 "
        r"\(a CPU build is enough\)\n",
        done.stderr,
    )


def test_the_extra_and_the_sentence_name_the_same_pytorch() -> None:
    project = tomllib.loads((ROOT / "devkit/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["train"] == [REQUIREMENT]


def test_the_locks_leave_pytorch_out() -> None:
    for lock in ("requirements.lock", "tests/requirements.lock"):
        assert not re.search(r"^torch\b", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "100x100"], "expected multiples of 32 such as 384x512, got '100x100'"),
        (["--cut", "100"], "expected a multiple of 32 such as 256, got '100'"),
        (["--epochs", "0"], "expected a number from 1, got '0'"),
        (["--name", "../x"], "expected letters, digits"),
    ],
    ids=["size", "cut", "epochs", "name"],
)
def test_what_cannot_be_trained_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["models", "train", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_rendered_pictures_are_not_counted_for_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "train", "--data", str(tmp_path), "--pictures", "9"]) == 2
    assert "--pictures is how many are rendered; of your own all are used" in capsys.readouterr().err
