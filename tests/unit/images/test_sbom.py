"""Bills of materials: current, whole, and what an image is compared with."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.images.catalogue import IMAGES, Image, image_for
from vigie_devkit.images.locked import locked, own_distributions
from vigie_devkit.images.sbom import findings, sbom, sbom_text

ROOT = Path(__file__).parents[3]
INFERENCE = image_for("inference", "amd64")
SPEC = importlib.util.spec_from_file_location("assemble", ROOT / "deploy/image/assemble.py")
assemble = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(assemble)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.label)
def test_the_committed_bill_is_what_lock_distributions_and_models_give(image: Image) -> None:
    assert (ROOT / image.sbom).read_text() == sbom_text(image), "run ./vigie images write"
    bom = json.loads(sbom_text(image))
    refs = [one["bom-ref"] for one in bom["components"]]
    assert len(set(refs)) == len(refs)
    assert bom["dependencies"] == [{"ref": "image", "dependsOn": refs}]
    listed = {one["name"]: one["version"] for one in bom["components"] if one["type"] == "library"}
    assert listed == {**locked(image), **own_distributions(image)}
    assert all("licenses" in one for one in bom["components"] if one["type"] != "container"), "every licence is stated"


def held() -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Of an inference image as it should be: its bill, its distributions, its models' cards."""
    cards = {
        file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (ROOT / "shared/models").glob("*/card.yaml")
    }
    return copy.deepcopy(sbom(INFERENCE)), {**locked(INFERENCE), **own_distributions(INFERENCE)}, cards


def test_an_image_that_holds_what_its_bill_says_has_no_finding() -> None:
    assert list(findings(INFERENCE, *held())) == []


def test_every_difference_between_image_and_bill_is_a_finding() -> None:
    bom, dists, cards = held()
    missing = {name: version for name, version in dists.items() if name != "numpy"}
    assert list(findings(INFERENCE, bom, missing, cards)) == [
        "its bill of materials says numpy 2.4.6, the image holds none"
    ]
    assert "says numpy 2.4.6, the image holds 9" in next(findings(INFERENCE, bom, {**dists, "numpy": "9"}, cards))
    assert "says (none)" not in next(findings(INFERENCE, bom, {**dists, "evil": "1"}, cards))
    assert "evil (none), the image holds 1" in next(findings(INFERENCE, bom, {**dists, "evil": "1"}, cards))
    assert "the model conveyor-parts" in next(findings(INFERENCE, bom, dists, dict.fromkeys(cards, "0" * 64)))
    assert "holds no bill of materials" in next(findings(INFERENCE, None, dists, cards))
    bom["components"].append({"type": "library", "bom-ref": "x", "name": "evil", "version": "1"})
    found = list(findings(INFERENCE, bom, {**dists, "evil": "1"}, cards))
    assert found == [f"its bill of materials lists evil, which {INFERENCE.lock} does not pin"]


def test_the_build_stage_adds_base_and_hashes_and_leaves_out_what_was_not_installed(
    tmp_path: Path,
) -> None:
    camera = image_for("camera", "amd64")
    (tmp_path / "wheels").mkdir()
    for name in locked(camera):
        if name != "av":
            (tmp_path / "wheels" / f"{name.replace('-', '_')}-1-py3-none-any.whl").write_bytes(name.encode())
    assemble.complete_sbom(ROOT / camera.sbom, "python@sha256:" + "0" * 64, tmp_path, tmp_path / "out")
    bom = json.loads((tmp_path / "out/app/opt/vigie/sbom.cdx.json").read_text())
    by_name = {one["name"]: one for one in bom["components"]}
    assert "av" not in by_name
    assert "pypi/av" not in bom["dependencies"][0]["dependsOn"]
    assert by_name["numpy"]["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"numpy").hexdigest()}]
    assert "hashes" not in by_name["paho-mqtt"], "its wheel is made in the build stage"
    assert by_name["python@sha256:" + "0" * 64]["type"] == "container"
