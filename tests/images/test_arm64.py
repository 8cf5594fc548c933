"""ARM64 images under QEMU: built, each module started, shipped int8 compared with its reference on ARM's kernels.

Emulation checks numbers, not speed. The images run as they ship; `support.emulated_arm` says what the emulator lacks.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from support.emulated_arm import words
from vigie_devkit.images.build import BuildOptions, build
from vigie_devkit.images.catalogue import GROUP, MODULES, USERS, Image, image_for
from vigie_devkit.images.check import check_image
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.names import reference

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(7200)]
TAG = "under-test"

# What a module needs before its first frame, loaded for real: native libraries are what another processor breaks.
LOADS = {
    "camera": "import cv2, numpy; assert cv2.resize(numpy.zeros((8, 8, 3), 'u1'), (4, 4)).shape == (4, 4, 3)",
    "preprocess": "import cv2, numpy; assert cv2.imencode('.jpg', numpy.zeros((8, 8, 3), 'u1'))[0]",
    "inference": "import onnxruntime, yaml; assert 'CPUExecutionProvider' in onnxruntime.get_available_providers()",
    "viewer": "import cv2, numpy; assert cv2.imencode('.jpg', numpy.zeros((8, 8, 3), 'u1'))[0]",
    "sync": "import aiohttp, msgspec, sqlite3; sqlite3.connect(':memory:').execute('select 1')",
    "actions": "import aiohttp, msgspec, cryptography",
    "evidence": "import aiohttp, msgspec, cryptography",
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


@pytest.fixture(scope="module", params=MODULES)
def arm_image(
    request: pytest.FixtureRequest, arm_engine: ContainerEngine, build_options: BuildOptions
) -> tuple[Image, str]:
    image = image_for(request.param, "arm64v8")
    name = reference(image, tag=TAG)
    build(arm_engine, image, [name], build_options)
    return image, name


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return words(tmp_path_factory.mktemp("emulated"))


def test_the_image_for_arm64_holds_exactly_what_its_lock_pins(
    arm_image: tuple[Image, str], arm_engine: ContainerEngine
) -> None:
    from vigie_devkit.images.catalogue import version

    image, name = arm_image
    assert check_image(arm_engine, image, name, version=version()) == []


def test_the_module_loads_its_native_libraries_and_writes_its_first_log_line(
    arm_image: tuple[Image, str], arm_engine: ContainerEngine, emulated: list[str]
) -> None:
    image, name = arm_image
    python = ("--entrypoint", "python", name, "-I", "-B", "-c", LOADS[image.name])
    arm_engine.ask("run", "--rm", "--network", "none", *emulated, *python)
    started = subprocess.run(
        [arm_engine.program, "run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", *emulated,
         "--tmpfs", f"/var/lib/vigie:uid={USERS[image.name]},gid={GROUP}",
         "--env", "IOTEDGE_MODULEID=" + image.name, name],
        env=arm_engine.environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    lines = [json.loads(line) for line in (started.stdout + started.stderr).splitlines() if line.startswith("{")]
    assert lines, started.stderr[-2000:]
    assert (lines[0]["event"], lines[0]["module"]) == ("module_starting", image.name)
    # No edge runtime here: the module says so in a sentence, on ARM as anywhere.
    assert any("IOTEDGE_" in str(line.get("reason")) for line in lines), lines


def test_the_machine_in_the_container_is_arm64(arm_image: tuple[Image, str], arm_engine: ContainerEngine) -> None:
    printed = arm_engine.ask(
        "run", "--rm", "--init", "--entrypoint", "python", arm_image[1], "-c", "import os; print(os.uname().machine)"
    )
    assert printed.strip() == "aarch64"


@pytest.mark.parametrize("arm_image", ["inference"], indirect=True)
def test_the_shipped_int8_variant_agrees_with_its_reference_on_arms_kernels(
    arm_image: tuple[Image, str], arm_engine: ContainerEngine, emulated: list[str]
) -> None:
    python = ("--entrypoint", "python", arm_image[1], "-I", "-B", "-c", PARITY)
    printed = arm_engine.ask("run", "--rm", "--network", "none", *emulated, *python)
    found = json.loads(printed.strip().splitlines()[-1])
    print(f"parity on ARM64 (emulated): {found}")
    assert found, "the shipped bundle has no int8 variant"
    assert {variant: parity["why"] for variant, parity in found.items() if not parity["passed"]} == {}
