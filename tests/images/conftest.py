"""One engine, one build of every image for this processor, one flow of them under compose."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.containers import ROOT, Compose, compose_programs, composed
from vigie_devkit.images.build import BuildOptions, build
from vigie_devkit.images.catalogue import HUB, MODULES, Image, host_key, image_for
from vigie_devkit.images.dockerfile import default_base
from vigie_devkit.images.engine import ContainerEngine, open_engine
from vigie_devkit.images.errors import ContainerEngineError
from vigie_devkit.images.names import reference
from vigie_devkit.local.paths import home_folder

# A name of their own: a developer's images and containers are left alone. Two checkouts on one engine need two names.
TAG = os.environ.get("VIGIE_TEST_TAG", "under-test")


@pytest.fixture(scope="session")
def engine() -> ContainerEngine:
    try:
        return open_engine("docker", os.environ)
    except ContainerEngineError as error:
        pytest.skip(f"needs a Docker engine: {error}")


@pytest.fixture(scope="session")
def build_options() -> BuildOptions:
    return BuildOptions(cache=home_folder() / "wheels")


@pytest.fixture(scope="session")
def images(engine: ContainerEngine, build_options: BuildOptions) -> dict[str, tuple[Image, str]]:
    """By module: the image for this processor and its reference on the engine."""
    built = {}
    for name in (*MODULES, HUB):
        image = image_for(name, host_key())
        name_of = reference(image, tag=TAG)
        build(engine, image, [name_of], build_options)
        built[name] = (image, name_of)
    return built


@pytest.fixture(scope="session")
def compose_words(engine: ContainerEngine) -> list[str]:
    """The newest compose there is."""
    programs = compose_programs(engine)
    if not programs:
        pytest.skip("needs docker compose or docker-compose")
    return programs.get("v2") or programs["v1"]


@pytest.fixture(scope="session")
def flow_environment() -> dict[str, str]:
    return {
        "VIGIE_TAG": TAG,
        "VIGIE_PLATFORM": host_key(),
        "VIGIE_ARCH": host_key(),
        # 5 frames a second: containers, hub and model share the cores with whatever else CI does.
        "VIGIE_PAGE_PORT": "0",  # any free one: two compositions may run at once
        "VIGIE_METRICS_PORT": "0",
        "VIGIE_CAMERA": "synthetic://conveyor?seed=1&fps=5",
    }


@pytest.fixture(scope="module")
def flow(
    engine: ContainerEngine,
    images: dict[str, tuple[Image, str]],
    compose_words: list[str],
    flow_environment: dict[str, str],
    request: pytest.FixtureRequest,
) -> Iterator[Compose]:
    """compose.yaml, up with the images under test; one project per test file."""
    del images  # built before compose looks for them
    project = f"vigie-{TAG}-" + Path(str(request.path)).stem.replace("_", "-")
    with composed(engine, compose_words, project, flow_environment) as compose:
        yield compose


@pytest.fixture(scope="session")
def arm_engine(engine: ContainerEngine) -> ContainerEngine:
    """An engine with the base image; without a registry, a stand-in is made."""
    base = default_base(image_for("sync", "arm64v8"))
    if engine.image(base) is None:
        made = subprocess.run(
            [ROOT / ".ci/arm64-base"], env=engine.environment, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"needs the base image {base}, or root on Debian to make it: {made.stderr.strip()[-200:]}")
    return engine
