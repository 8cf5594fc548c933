"""What each image holds and weighs, and that a build is repeatable."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from vigie_devkit.images import catalogue
from vigie_devkit.images.archive import load, save
from vigie_devkit.images.build import BuildOptions, build, remove_stages
from vigie_devkit.images.catalogue import HUB, MODULES, STAGE, Image
from vigie_devkit.images.check import check_image
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import EngineCommandError
from vigie_devkit.images.sizes import BARS_MB, MB, size_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]
ROOT = Path(__file__).parents[2]
VERSION = catalogue.version()

FOREIGN = {
    "camera": ("onnxruntime", "yaml", "vigie_devkit", "vigie_inference"),
    "preprocess": ("onnxruntime", "yaml", "vigie_devkit", "vigie_camera"),
    "inference": ("cv2", "vigie_devkit", "vigie_preprocess"),
    "sync": ("numpy", "cv2", "onnxruntime", "yaml", "vigie_devkit"),
    "viewer": ("onnxruntime", "yaml", "vigie_devkit", "vigie_camera"),
    "evidence": ("numpy", "cv2", "onnxruntime", "yaml", "vigie_devkit", "vigie_sync", "vigie_actions"),
    "actions": ("numpy", "cv2", "onnxruntime", "yaml", "vigie_devkit", "vigie_sync"),
}


@pytest.mark.parametrize("name", [*MODULES, HUB])
def test_an_image_holds_exactly_what_its_lock_pins_and_says_what_it_is(
    name: str, engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    image, reference = images[name]
    assert check_image(engine, image, reference, version=VERSION) == []


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_import_neither_the_dev_kit_nor_what_another_module_needs(
    name: str, engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    code = "import importlib.util, sys; print([n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    said = engine.ask("run", "--rm", "--entrypoint", "python", images[name][1], "-I", "-c", code, *FOREIGN[name])
    assert said.strip() == "[]"


@pytest.mark.parametrize("name", MODULES)
def test_an_image_weighs_no_more_beyond_its_base_than_its_bar(
    name: str, engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    size = size_of(engine, images[name][1])
    print(f"{name}: {size.beyond_base / MB:.1f} MB beyond the base: {size.parts}")
    assert size.beyond_base <= BARS_MB[name] * MB


def test_every_licence_of_the_packages_is_still_there(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    code = (
        "import importlib.metadata as m, os\n"
        "for d in m.distributions():\n"
        "    if str(d._path).startswith('/opt/vigie/env'):\n"
        "        names = [n.upper() for f in os.walk(d._path) for n in f[2]]\n"
        "        named = any('LICEN' in n or 'COPYING' in n for n in names)\n"
        "        if d.metadata.get_all('License-File') and not named: print(d.metadata['Name'])\n"
    )
    for _, reference in images.values():
        assert engine.ask("run", "--rm", "--entrypoint", "python", reference, "-I", "-c", code) == ""


def test_docker_build_by_hand_gives_the_very_layers_that_vigie_images_build_gives(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    """One comes from wheels of the host's pip without network, the other asks an index: the bytes must be the same."""
    image, reference = images["sync"]
    given = [f"--build-arg={name}" for name in ("PIP_INDEX_URL", "PIP_TRUSTED_HOST") if name in os.environ]
    ended = subprocess.run(
        ["docker", "build", "--force-rm", "--no-cache", "--quiet", "--network", "host", *given, "-f", image.dockerfile,
         "-t", "vigie-sync:by-hand", "."],
        cwd=ROOT, env={**engine.environment, "DOCKER_BUILDKIT": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    by_hand, by_command = (engine.image(name)["RootFS"]["Layers"] for name in ("vigie-sync:by-hand", reference))
    # Packages, account, state, frames, own code. Only the two empty folders differ, by the age of what is above them.
    assert [one == other for one, other in zip(by_hand[-5:], by_command[-5:], strict=True)] == [
        True, True, False, False, True,
    ]  # fmt: skip


def test_two_modules_with_the_same_packages_share_their_layer(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]]
) -> None:
    viewer, preprocess = (engine.image(images[name][1])["RootFS"]["Layers"] for name in ("viewer", "preprocess"))
    assert viewer[:2] == preprocess[:2]  # the base, and the packages above it
    assert len(viewer) == len(preprocess)
    assert viewer[-1] != preprocess[-1]


def test_images_go_through_a_file_for_an_air_gap(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]], tmp_path: Path
) -> None:
    reference = images["sync"][1]
    before = engine.image(reference)
    save(engine, [reference], tmp_path / "images.tar.gz")
    engine.ask("image", "rm", reference)
    assert engine.image(reference) is None
    assert load(engine, tmp_path / "images.tar.gz") == [reference]
    assert engine.image(reference)["Id"] == before["Id"]


def test_a_build_that_fails_leaves_no_container_that_would_keep_its_stage(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]], build_options: BuildOptions
) -> None:
    image = images["sync"][0]
    options = replace(build_options, in_build=True, network="none", no_cache=True)  # no index answers its pip
    containers = ("ps", "--all", "--quiet", "--filter", f"label={STAGE}=build")
    before = engine.ask(*containers).split()
    with pytest.raises(EngineCommandError):
        build(engine, image, ["vigie-sync:never"], options)
    assert engine.ask(*containers).split() == before


def test_build_stages_do_not_stay_on_the_engine(engine: ContainerEngine, images: dict[str, tuple[Image, str]]) -> None:
    # The last test of the file: what is built after it begins without the cache of the stages.
    left = ("images", "--quiet", "--filter", "dangling=true", "--filter", f"label={STAGE}=build")
    remove_stages(engine)
    assert engine.ask(*left).split() == []
    assert [name for _, name in images.values() if engine.image(name) is None] == []
