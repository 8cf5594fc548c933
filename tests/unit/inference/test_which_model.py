"""Which bundle a twin names, and what is wrong where it names none or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigie.errors import ConfigRefusedError
from vigie_inference.config import ModelConfig
from vigie_inference.which_model import which_model


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "cups").mkdir()
    (tmp_path / "cups/card.yaml").touch()
    return tmp_path


def test_a_name_becomes_the_path_of_its_bundle(shelf: Path) -> None:
    found = which_model(ModelConfig(name="cups", variant="fp32"), [shelf])
    assert found == ModelConfig(path=str(shelf / "cups"), variant="fp32")


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        (ModelConfig(name="cups", path="/models/cups"), '$.model: expected "name" or "path", got both; write null for'),
        (ModelConfig(variant="fp32"), '$.model: expected "name" or "path", got neither'),
        (ModelConfig(name="cusp"), "$.model.name: there is no bundle 'cusp' in "),
    ],
    ids=["both", "neither", "unknown"],
)
def test_a_twin_that_names_no_bundle_or_two_is_told_what_to_write(
    shelf: Path, wanted: ModelConfig, refusal: str
) -> None:
    with pytest.raises(ConfigRefusedError) as refused:
        which_model(wanted, [shelf])
    assert str(refused.value).startswith(refusal)
