"""The zip that Azure Custom Vision or AutoML hands out is imported as it came: model and names, nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from support import models, strangers
from vigie.errors import ModelFileError
from vigie.models import load_bundle
from vigie_devkit.cli import main
from vigie_devkit.models.unpack import unpacked


def pack(folder: Path, **files: bytes | str) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def test_a_custom_vision_zip_brings_its_own_names(tmp_path: Path) -> None:
    model = strangers.custom_vision().SerializeToString()
    file = pack(tmp_path, model_dot_onnx=model, labels_dot_txt="bolt\nnut\nwasher\n", README_dot_md="read me")
    assert main(["models", "import", str(file), "--output", str(tmp_path / "b")]) == 0
    card = load_bundle(tmp_path / "b").card
    assert (card.labels, card.decoder.family, card.source.file) == (models.NAMES, "finished", "export.onnx")


def test_an_automl_zip_brings_its_names_as_json(tmp_path: Path) -> None:
    model = strangers.numbers(3, end="Softmax").SerializeToString()
    file = pack(tmp_path, out__model_dot_onnx=model, out__labels_dot_json=json.dumps(list(models.NAMES)))
    assert main(["models", "import", str(file), "--output", str(tmp_path / "b"), "--input", "rgb/imagenet"]) == 0
    assert load_bundle(tmp_path / "b").card.labels == models.NAMES


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"model_dot_pb": b"x"}, "holds 0 ONNX files (model.pb)"),
        ({"a_dot_onnx": b"x", "b_dot_onnx": b"y"}, "holds 2 ONNX files"),
        ({"a_dot_onnx": b"x", "labels_dot_json": "{}"}, "its labels.json is not a list of names"),
        ({"..__a_dot_onnx": b"x"}, "is not ONNX or is truncated"),
    ],
    ids=["none", "two", "labels", "path"],
)
def test_a_zip_that_is_no_export_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, bytes], said: str
) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    assert main(["models", "import", str(pack(inside, **files)), "--output", str(tmp_path / "b")]) != 0
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"], "nothing was unpacked beside it"


def test_a_file_that_only_ends_like_a_zip_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 cut off")
    assert main(["models", "import", str(tmp_path / "x.zip")]) != 0
    assert "cannot be unpacked" in capsys.readouterr().err


def test_an_export_whose_packed_bytes_are_damaged_is_one_sentence(tmp_path: Path) -> None:
    """Found by fuzzing: the packer's own error came through."""
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("model.onnx", bytes(range(256)) * 40)
    content = bytearray(archive.read_bytes())
    content[40:60] = b"\xff" * 20
    archive.write_bytes(content)
    with pytest.raises(ModelFileError, match="cannot be unpacked"), unpacked(archive):
        pass
