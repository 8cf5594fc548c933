"""A bundle laid out for an inference server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.checkout import ROOT
from vigie.errors import ModelFileError
from vigie.models import load_bundle
from vigie_devkit.models.repository import write_repository


def test_the_server_gets_the_bundles_own_file_and_a_configuration_without_batches(tmp_path: Path) -> None:
    bundle = load_bundle(ROOT / "shared/models/conveyor-parts")
    target = write_repository(bundle, "fp32", "triton", tmp_path)
    assert target == tmp_path / "conveyor-parts"
    assert (target / "1/model.onnx").read_bytes() == bundle.variant("fp32").file.read_bytes()
    assert (
        target / "config.pbtxt"
    ).read_text() == 'name: "conveyor-parts"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
    with pytest.raises(ModelFileError, match="already exists"):
        write_repository(bundle, "fp32", "triton", tmp_path)


def test_openvino_model_server_lists_all_models_of_the_folder(tmp_path: Path) -> None:
    bundle = load_bundle(ROOT / "shared/models/conveyor-parts")
    (tmp_path / "config.json").write_text(
        '{"model_config_list": [{"config": {"name": "a", "base_path": "/models/a"}}]}'
    )
    write_repository(bundle, None, "ovms", tmp_path)
    listed = json.loads((tmp_path / "config.json").read_text())["model_config_list"]
    assert [one["config"]["name"] for one in listed] == ["a", "conveyor-parts"]
    assert listed[1]["config"]["base_path"] == "/models/conveyor-parts"


def test_a_file_of_the_same_name_that_is_not_such_a_list_is_left_alone(tmp_path: Path) -> None:
    bundle = load_bundle(ROOT / "shared/models/conveyor-parts")
    (tmp_path / "config.json").write_text('{"mine": 1}')
    with pytest.raises(ModelFileError, match="is not a list of models"):
        write_repository(bundle, None, "ovms", tmp_path)
    assert (tmp_path / "config.json").read_text() == '{"mine": 1}'
