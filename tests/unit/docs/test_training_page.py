"""What the page says of the defaults of `models train`, whose commands no test machine without PyTorch can walk."""

from __future__ import annotations

from pathlib import Path

from support.checkout import ROOT
from vigie_devkit.train.request import FOLDER_AGAIN, FOLDER_RECIPE, RENDERED_AGAIN, RENDERED_RECIPE, training_request


def test_the_table_of_options_has_the_defaults_of_the_code() -> None:
    rows = {}
    for line in (ROOT / "docs/models.md").read_text(encoding="utf-8").split("### `train`")[1].splitlines():
        if line.startswith("| `--"):
            option, default = (cell.strip() for cell in line.strip("|").split("|"))
            rows[option.strip("`").split()[0]] = default
    request = training_request(Path("out"))
    assert rows["--epochs"] == (
        f"rendered {RENDERED_RECIPE.epochs}, from trained weights {RENDERED_AGAIN.epochs}; "
        f"your own pictures {FOLDER_RECIPE.epochs}, from trained weights {FOLDER_AGAIN.epochs}"
    )
    assert rows["--pictures"] == f"{request.pictures} rendered"
    assert rows["--size"].startswith(f"{request.size_hw[0]}x{request.size_hw[1]};")
    assert rows["--cut"].startswith(f"rendered {request.recipe.cut_px};")
