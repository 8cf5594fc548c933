"""ARM64 images under QEMU: built, each module started, shipped int8 held to its reference on ARM's kernels.

Emulation checks numbers, not speed. onnxruntime newer than 1.27 ends at its import under QEMU 7.2, so the inference
image is built as it ships and run with 1.27.0 laid over it.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from support.containers import ROOT
from vigie_devkit.images.build import BuildOptions, build
from vigie_devkit.images.catalogue import MODULES, Image, image_for
from vigie_devkit.images.check import check_image
from vigie_devkit.images.dockerfile import default_base
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.names import reference
from vigie_devkit.images.wheels import platform_arguments

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(7200)]
TAG = "under-test"
EMULATED_ONNXRUNTIME = "1.27.0"

# What a module needs before its first frame, loaded for real: native libraries are what another processor breaks.
LOADS = {
    "camera": "import cv2, numpy; assert cv2.resize(numpy.zeros((8, 8, 3), 'u1'), (4, 4)).shape == (4, 4, 3)",
    "preprocess": "import cv2, numpy; assert cv2.imencode('.jpg', numpy.zeros((8, 8, 3), 'u1'))[0]",
    "inference": "import onnxruntime, yaml; assert 'CPUExecutionProvider' in onnxruntime.get_available_providers()",
    "viewer": "import cv2, numpy; assert cv2.imencode('.jpg', numpy.zeros((8, 8, 3), 'u1'))[0]",
    "sync": "import aiohttp, msgspec, sqlite3; sqlite3.connect(':memory:').execute('select 1')",
}

PARITY = """
import msgspec, sys
from pathlib import Path
from vigie.models.bundle import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.parity import judge
bundle = load_bundle(Path("/models/conveyor-parts"))
frames = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
found = {}
for name in [name for name in bundle.card.variants if name.startswith("int8")]:
    with open_engine(bundle, cpu_candidate(name, 1)) as engine:
        found[name] = judge(bundle.card, engine.run, frames)
sys.stdout.buffer.write(msgspec.json.encode(found))
"""


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module", params=MODULES)
def arm_image(
    request: pytest.FixtureRequest, arm_engine: ContainerEngine, build_options: BuildOptions
) -> tuple[Image, str]:
    image = image_for(request.param, "arm64v8")
    name = reference(image, tag=TAG)
    build(arm_engine, image, [name], build_options)
    return image, name


@pytest.fixture(scope="module")
def runnable(
    arm_image: tuple[Image, str], arm_engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Image, str]:
    """The image, and for inference one with a runtime that the emulator takes."""
    image, name = arm_image
    if image.name != "inference":
        return arm_image
    folder = tmp_path_factory.mktemp("runtime")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--python-version",
         "3.11", *platform_arguments("aarch64"), "--dest", str(folder), f"onnxruntime=={EMULATED_ONNXRUNTIME}"],
        check=True,
    )  # fmt: skip
    (folder / "Dockerfile").write_text(
        f"FROM {name}\nUSER 0\nCOPY *.whl /tmp/\n"
        "RUN python3 -c \"import glob, shutil, zipfile, pathlib; s = next(pathlib.Path('/opt/vigie/env').glob("
        "'lib/python3*/site-packages')); shutil.rmtree(s / 'onnxruntime'); "
        "zipfile.ZipFile(glob.glob('/tmp/*.whl')[0]).extractall(s)\"\nUSER 1250:1250\n"
    )
    emulated = f"{name}-emulated"
    arm_engine.environment["DOCKER_BUILDKIT"] = "0"
    arm_engine.ask("build", "--quiet", "--tag", emulated, str(folder))
    return image, emulated


def test_the_image_for_arm64_holds_exactly_what_its_lock_pins(
    arm_image: tuple[Image, str], arm_engine: ContainerEngine
) -> None:
    from vigie_devkit.images.catalogue import version

    image, name = arm_image
    assert check_image(arm_engine, image, name, version=version()) == []


def test_the_module_loads_its_native_libraries_and_writes_its_first_log_line(
    runnable: tuple[Image, str], arm_engine: ContainerEngine
) -> None:
    image, name = runnable
    arm_engine.ask(
        "run", "--rm", "--network", "none", "--entrypoint", "python", name, "-I", "-B", "-c", LOADS[image.name]
    )
    started = subprocess.run(
        [arm_engine.program, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none",
         "--tmpfs", "/var/lib/vigie:uid=1250,gid=1250", "--env", "IOTEDGE_MODULEID=" + image.name, name],
        env=arm_engine.environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    lines = [json.loads(line) for line in (started.stdout + started.stderr).splitlines() if line.startswith("{")]
    assert lines, started.stderr[-2000:]
    assert (lines[0]["event"], lines[0]["module"]) == ("module_starting", image.name)
    # No edge runtime here: the module says so in a sentence, on ARM as anywhere.
    assert any("IOTEDGE_" in str(line.get("reason")) for line in lines), lines


def test_the_machine_in_the_container_is_arm64(arm_image: tuple[Image, str], arm_engine: ContainerEngine) -> None:
    said = arm_engine.ask(
        "run", "--rm", "--entrypoint", "python", arm_image[1], "-c", "import os; print(os.uname().machine)"
    )
    assert said.strip() == "aarch64"


@pytest.mark.parametrize("arm_image", ["inference"], indirect=True)
def test_the_shipped_int8_variant_agrees_with_its_reference_on_arms_kernels(
    runnable: tuple[Image, str], arm_engine: ContainerEngine
) -> None:
    _, name = runnable
    said = arm_engine.ask("run", "--rm", "--network", "none", "--entrypoint", "python", name, "-I", "-B", "-c", PARITY)
    found = json.loads(said.strip().splitlines()[-1])
    print(f"parity on ARM64 (emulated, onnxruntime {EMULATED_ONNXRUNTIME}): {found}")
    assert found, "the shipped bundle has no int8 variant"
    assert {variant: parity["why"] for variant, parity in found.items() if not parity["passed"]} == {}
