"""Which model `up` serves when none is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vigie_devkit.local import bundle
from vigie_devkit.local.errors import NoModelError


def test_the_bundle_that_ships_serves_when_none_is_named(tmp_path: Path) -> None:
    shipped = tmp_path / "shared/models/conveyor-parts"
    shipped.mkdir(parents=True)
    (shipped / "card.yaml").write_text("schema: vigie.card/1\n")
    (tmp_path / "shared/models/zebra").mkdir()
    assert bundle.find_bundle(None, [tmp_path / "own", tmp_path / "shared/models"]) == shipped


def test_none_that_ships_is_one_sentence_that_says_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(NoModelError, match=r"no detector ships yet; pass one: \./vigie up --model FILE\.onnx"):
        bundle.find_bundle(None, [tmp_path / "own", tmp_path / "shared/models"])


def test_a_card_names_its_bundle(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("schema: vigie.card/1\n")
    assert bundle.find_bundle(str(tmp_path / "card.yaml")) == tmp_path


@pytest.mark.parametrize(("name", "said"), [("folder", "is a folder without card.yaml"), ("none", "there is no model")])
def test_what_is_no_model_is_one_sentence(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(NoModelError, match=said):
        bundle.find_bundle(str(tmp_path / name))


def test_a_name_works_where_a_folder_does(tmp_path: Path) -> None:
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for folder in (own / "cups", shipped / "cups", shipped / "bolts"):
        folder.mkdir(parents=True)
        (folder / "card.yaml").write_text("schema: vigie.card/1\n")
    assert bundle.find_bundle("cups", (own, shipped)) == own / "cups"
    assert bundle.find_bundle("bolts", (own, shipped)) == shipped / "bolts"
    with pytest.raises(NoModelError, match="did you mean 'bolts'"):
        bundle.find_bundle("bolt", (own, shipped))


def test_a_file_whose_reader_is_not_installed_is_not_sent_to_import_it_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    file = tmp_path / "best.tflite"
    file.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(NoModelError, match=r"ai-edge-litert is not installed.*docs/hardware.md") as refused:
        bundle.import_once(file)
    assert "what to pass" not in str(refused.value)
