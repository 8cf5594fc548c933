"""The doctor in inference's images: it names the engine that the image is for, whether it can run here, and what to do.

Those for this processor whose packages are small are built in every run; ``VIGIE_TEST_KEYS`` names more, separated by
commas. Those for ARM64 run under QEMU, with the mark ``arm64``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.emulated_arm import words
from vigie_devkit.images.build import BuildOptions, build
from vigie_devkit.images.catalogue import GROUP, USERS, host_key, image_for
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.names import reference

pytestmark = [pytest.mark.timeout(7200)]
TAG = os.environ.get("VIGIE_TEST_TAG", "under-test")
SMALL = ("amd64", "amd64-grpc", "amd64-litert") if host_key() == "amd64" else ("arm64v8", "arm64v8-grpc")
MORE = tuple(key for key in os.environ.get("VIGIE_TEST_KEYS", "").split(",") if key)
ARM = tuple(f"arm64v8{engine}" for engine in ("", "-grpc", "-litert", "-qnn", "-webgpu"))
# What the runtimes in the image must list beside the CPU's provider.
LISTED = {
    "litert": "LiteRT",
    "openvino": "OpenVINO",
    "webgpu": "WebGpuExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
ANYWHERE = {"cpu:CPU", "openvino:CPU", "litert:CPU"}
MADE_FOR = {
    "": {"cpu:CPU"},
    "grpc": {"cpu:CPU", "kserve:remote"},
    "litert": {"litert:CPU", "litert-delegate:NPU", "litert-delegate:GPU"},
    "openvino": {"openvino:CPU", "openvino:GPU", "openvino:NPU"},
    "webgpu": {"webgpu:GPU"},
    "cuda": {"cuda:GPU"},
    "tensorrt": {"cuda:GPU", "tensorrt:GPU"},
    "qnn": {"qnn-htp:HTP", "qnn-gpu:GPU"},
}


def check_doctor(engine: ContainerEngine, options: BuildOptions, key: str, *run: str) -> None:
    image = image_for("inference", key)
    name = reference(image, tag=TAG)
    build(engine, image, [name], options)
    state = f"/var/lib/vigie:uid={USERS['inference']},gid={GROUP}"
    container = ("run", "--rm", "--read-only", "--cap-drop", "ALL", "--network", "none", "--tmpfs", state, *run)
    doctor = ("--entrypoint", "python", name, "-I", "-B", "-m", "vigie.runtimes.doctor", "/models/conveyor-parts")
    told = json.loads(engine.ask(*container, *doctor, "--json"))
    judge(told, key)
    text = engine.ask(*container, *doctor)
    assert f"this is the image vigie-inference {told['hardware']['image']['version']} for {key}, made for:" in text
    for purpose in told["image"]:
        state = f"not here: {purpose['why_not']}" if purpose["why_not"] else "can be used here"
        assert f"{purpose['title']}: {state}" in text


def judge(told: dict[str, Any], key: str) -> None:
    """``told``: what the doctor printed as JSON, on a machine whose devices the container was not given."""
    hardware = told["hardware"]
    late = hardware["asked"]["late"]
    assert late == [], f"{', '.join(late)} gave no answer in time: run it again on a machine that is less busy"
    assert hardware["asked"]["failed"] == {}, "a runtime that ships in the image does not load in it"
    listed = {one["provider"] for one in hardware["asked"]["devices"]}
    special = key.partition("-")[2]
    plugin = key == "arm64v8-webgpu"  # shows what GPUs there are, so nothing here
    assert {"CPUExecutionProvider", *([LISTED[special]] if special in LISTED and not plugin else [])} <= listed
    made_for = {one["what"]: one for one in told["image"]}
    assert made_for.keys() == ({"webgpu-ep:GPU"} if plugin else MADE_FOR[special])
    assert {what for what, one in made_for.items() if not one["why_not"]} == ANYWHERE & made_for.keys()
    assert [what for what, one in made_for.items() if one["why_not"] and not one["remedy"]] == []
    # Without a device, the CPU serves, and what could be installed on a laptop is another image here.
    assert {one["provider"] for one in told["tried"]} <= {"cpu", "openvino"}
    assert "cpu" in {one["provider"] for one in told["tried"]}
    assert [one for one in told["rejected"] if one["remedy"].startswith("install")] == []


@pytest.mark.docker
@pytest.mark.parametrize("key", dict.fromkeys((*SMALL, *MORE)))
def test_the_doctor_in_an_image_names_its_engine_and_what_it_lacks(
    key: str, engine: ContainerEngine, build_options: BuildOptions
) -> None:
    check_doctor(engine, build_options, key)


@pytest.mark.arm64
@pytest.mark.parametrize("key", ARM)
def test_the_doctor_in_an_arm64_image_names_its_engine_and_what_it_lacks(
    key: str, arm_engine: ContainerEngine, build_options: BuildOptions, tmp_path: Path
) -> None:
    check_doctor(arm_engine, build_options, key, *words(tmp_path))


@pytest.mark.arm64
def test_an_emulator_that_shows_the_hosts_processor_is_named_and_what_to_do(
    arm_engine: ContainerEngine, build_options: BuildOptions
) -> None:
    if host_key() != "amd64":
        pytest.skip("needs an emulator: this machine is ARM64 itself")
    image = image_for("inference", "arm64v8")
    name = reference(image, tag=TAG)
    build(arm_engine, image, [name], build_options)
    run = ("run", "--rm", "--init", "--network", "none", "--entrypoint", "python", name, "-I", "-B", "-m")
    text = arm_engine.ask(*run, "vigie.runtimes.doctor", "/models/conveyor-parts")
    if "aarch64, emulated" not in text:
        pytest.skip("this QEMU shows an ARM processor by itself")
    assert "speed says nothing" in text
    if "onnxruntime does not load" in text:  # with an emulator that ONNX Runtime crashes under
        assert "bind an ARM /proc/cpuinfo (docs/images.md)" in text
        assert "  cpu/" not in text, "nothing that does not load is offered"
