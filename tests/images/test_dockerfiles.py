"""The engine's own parser reads every Dockerfile, and a vendor's libraries come out of its image or it says why not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from support.checkout import ROOT
from vigie_devkit.images.catalogue import IMAGES, Image
from vigie_devkit.images.dockerfile import default_base
from vigie_devkit.images.engine import ContainerEngine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
TENSORRT = next(image for image in IMAGES if image.vendor is not None)
STUB = "vigie-test-vendor:stub"


def built(
    engine: ContainerEngine, dockerfile: str, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``docker build`` of the file alone, without any context."""
    return subprocess.run(
        [engine.program, "build", "--force-rm", *words, "-"],
        input=dockerfile,
        env=engine.environment | {"DOCKER_BUILDKIT": "0"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("image", IMAGES, ids=[image.label for image in IMAGES])
def test_the_engine_reads_the_whole_file_and_misses_only_the_stage_that_it_was_asked_for(
    engine: ContainerEngine, image: Image
) -> None:
    text = (ROOT / image.dockerfile).read_text(encoding="utf-8")
    words = ["--target", "no-such-stage", "--build-arg", f"TENSORRT={default_base(image)}"]
    done = built(engine, text, *words)
    assert done.returncode != 0
    assert "no-such-stage" in done.stderr, done.stderr
    broken = built(engine, text.replace("WORKDIR", "WORKDRI", 1), *words)
    assert "unknown instruction: WORKDRI" in broken.stderr


@pytest.fixture
def vendor_image(engine: ContainerEngine) -> Iterator[str]:
    """With the names of TensorRT's libraries, one of them a link, and nothing in them."""
    assert TENSORRT.vendor is not None
    first, *others = TENSORRT.vendor.libraries
    made = [f"touch /opt/vendor/{name}" for name in others]
    made += [f"echo content >/opt/vendor/{first}.16.1", f"ln -s {first}.16.1 /opt/vendor/{first}"]
    made += ["touch /opt/vendor/libnvinfer_builder_resource_sm90.so.10.16.1"]
    text = f"FROM {default_base(TENSORRT)}\nRUN mkdir /opt/vendor && {' && '.join(made)}\n"
    done = built(engine, text, "--tag", STUB)
    assert done.returncode == 0, done.stderr
    yield STUB
    engine.ask("rmi", "--force", STUB)


def test_tensorrts_libraries_come_out_of_the_vendors_image_as_files(engine: ContainerEngine, vendor_image: str) -> None:
    text = (ROOT / TENSORRT.dockerfile).read_text(encoding="utf-8")
    name = "vigie-test-vendor:taken"
    done = built(engine, text, "--target", "vendor", "--build-arg", f"TENSORRT={vendor_image}", "--tag", name)
    assert done.returncode == 0, done.stderr
    try:
        listed = engine.ask("run", "--rm", "--network", "none", name, "ls", "-l", "/out/usr/lib/x86_64-linux-gnu")
    finally:
        engine.ask("rmi", "--force", name)
    assert TENSORRT.vendor is not None
    for library in (*TENSORRT.vendor.libraries, "libnvinfer_builder_resource_sm90.so.10.16.1"):
        assert library in listed
    assert "->" not in listed


def test_an_image_without_them_is_refused_with_the_name_that_is_missing(engine: ContainerEngine) -> None:
    text = (ROOT / TENSORRT.dockerfile).read_text(encoding="utf-8")
    base = default_base(TENSORRT)
    done = built(engine, text, "--target", "vendor", "--build-arg", f"TENSORRT={base}")
    assert done.returncode != 0
    assert "TENSORRT has no libnvinfer.so.10" in done.stdout + done.stderr
