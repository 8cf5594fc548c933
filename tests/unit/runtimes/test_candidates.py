"""What could run a model: a function of the report, the card and the table."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from support.hardware_trees import INTEL, JETSON, QUALCOMM, RASPBERRY, lay_out
from vigie.models.card import Card, CardVariant
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.candidates import Rejected, candidates, thread_counts
from vigie.runtimes.hardware import HardwareReport, ProcessIdentity, probe

PRECISIONS = {
    "fp32": ("fp32", "float"),
    "fp16": ("fp16", "float"),
    "int8-u8s8": ("int8", "u8"),
    "int8-s8s8": ("int8", "s8"),
    "a16w8": ("a16w8", "u16"),
}
BASE = {"onnxruntime": "1.31.1"}
NPU_DRIVER = {"usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1": ""}


def card(*variants: str) -> Card:
    tree = {
        "schema": "vigie.card/1",
        "name": "m",
        "task": "classification",
        "input": {"name": "x", "height": 8, "width": 8, "align": "stretch"},
        "outputs": [{"name": "y", "shape": [1, 2]}],
        "decoder": {"family": "classifier"},
        "labels": ["a", "b"],
        "variants": {"fp32": {"file": "f", "sha256": "0" * 64, "precision": "fp32", "opset": 17}},
    }
    made = {
        name: CardVariant(
            file="f",
            sha256="0" * 64,
            precision=PRECISIONS[name][0],  # type: ignore[arg-type]
            activations=PRECISIONS[name][1],  # type: ignore[arg-type]
            opset=17,
        )
        for name in variants
    }
    return msgspec.structs.replace(msgspec.convert(tree, Card), variants=made)


def report(root: Path, files: dict[str, str], machine: str) -> HardwareReport:
    return probe(lay_out(root, files), machine=machine, identity=ProcessIdentity(0, frozenset()), packages=())


def keys(found: list[Candidate]) -> list[str]:
    return [candidate.key for candidate in found]


def why(rejected: list[Rejected], provider: str, device: str, variant: str = "") -> tuple[str, str]:
    (one,) = [r for r in rejected if (r.provider, r.device, r.variant) == (provider, device, variant)]
    return one.reason, one.remedy


def test_an_intel_box_offers_cpu_gpu_and_npu(tmp_path: Path) -> None:
    hardware = report(tmp_path, INTEL | NPU_DRIVER, "x86_64")
    installed = BASE | {"openvino": "2026.4.1"}
    found, rejected = candidates(hardware, card("fp32", "int8-u8s8"), installed=installed)
    assert keys(found) == [
        "cpu/int8-u8s8/1t",
        "cpu/int8-u8s8/3t",
        "cpu/int8-u8s8/6t",
        "cpu/int8-u8s8/1t x 6",
        "cpu/int8-u8s8/2t x 3",
        "cpu/fp32/1t",
        "cpu/fp32/3t",
        "cpu/fp32/6t",
        "cpu/fp32/1t x 6",
        "cpu/fp32/2t x 3",
        "openvino/int8-u8s8/1t",
        "openvino/int8-u8s8/3t",
        "openvino/int8-u8s8/6t",
        "openvino/fp32/1t",
        "openvino/fp32/3t",
        "openvino/fp32/6t",
        "openvino:GPU/int8-u8s8/1t",
        "openvino:GPU/fp32/1t",
        "openvino:GPU/fp32/1t+INFERENCE_PRECISION_HINT=f16",
        "openvino:NPU/int8-u8s8/1t",
        "openvino:NPU/fp32/1t",
    ]
    assert why(rejected, "openvino-ep", "GPU") == (
        "onnxruntime-ep-openvino is not installed",
        "install onnxruntime-ep-openvino",
    )
    assert why(rejected, "cuda", "GPU")[0] == "there is no NVIDIA GPU"
    assert why(rejected, "qnn-htp", "HTP")[1] == "run it on a device that has one"


def test_a_device_that_is_not_usable_carries_its_remedy(tmp_path: Path) -> None:
    _, rejected = candidates(report(tmp_path, INTEL, "x86_64"), card("fp32"), installed=BASE | {"openvino": "1"})
    assert why(rejected, "openvino", "NPU") == (
        "no libze_intel_npu.so.1",
        "put in Intel's NPU driver in the image",
    )


def test_a_cpu_without_vnni_is_also_measured_with_weights_that_do_not_saturate(tmp_path: Path) -> None:
    plain = {path: text.replace("avx_vnni ", "") for path, text in INTEL.items()}
    found, _ = candidates(report(tmp_path, plain, "x86_64"), card("int8-u8s8", "int8-s8s8"), installed=BASE)
    assert [key for key in keys(found) if "+" in key] == ["cpu/int8-u8s8/6t+session.x64quantprecision=1"]


def test_a_qualcomm_board_offers_its_htp_and_gpu(tmp_path: Path) -> None:
    hardware = report(
        tmp_path, QUALCOMM | {"usr/lib/libcdsprpc.so": "", "usr/lib/aarch64-linux-gnu/libatomic.so.1": ""}, "aarch64"
    )
    found, rejected = candidates(
        hardware, card("fp32", "int8-u8s8", "a16w8"), installed=BASE | {"onnxruntime-qnn": "2.7.0"}
    )
    assert [key for key in keys(found) if key.startswith("qnn")] == [
        "qnn-htp/a16w8/1t",
        "qnn-htp/int8-u8s8/1t",
        "qnn-gpu:GPU/fp32/1t",
    ]
    assert why(rejected, "qnn-htp", "HTP", "fp32")[0] == "the HTP computes in integers or fp16"
    assert why(rejected, "cpu", "CPU", "a16w8")[0].startswith("the CPU provider has no kernels for 16-bit")


def test_a_jetson_offers_tensorrt_and_cuda_once_their_libraries_are_there(tmp_path: Path) -> None:
    names = ("libnvinfer.so.10", "libnvonnxparser.so.10", "libcudart.so.12", "libcublas.so.12", "libcudnn.so.9")
    libraries = {f"usr/lib/aarch64-linux-gnu/{name}": "" for name in names}
    installed = BASE | {"onnxruntime-gpu": "1.31.1"}
    hardware = report(tmp_path / "a", JETSON | libraries, "aarch64")
    found, rejected = candidates(hardware, card("fp32", "int8-s8s8"), installed=installed)
    assert [key for key in keys(found) if ":GPU" in key] == [
        "tensorrt:GPU/int8-s8s8/1t",
        "tensorrt:GPU/fp32/1t",
        "tensorrt:GPU/fp32/1t+trt_fp16_enable=True",
        "cuda:GPU/fp32/1t",
    ]
    assert "no integer kernels" in why(rejected, "cuda", "GPU", "int8-s8s8")[0]
    _, rejected = candidates(report(tmp_path / "b", JETSON, "aarch64"), card("fp32"), installed=installed)
    reason, remedy = why(rejected, "tensorrt", "GPU")
    assert reason == "no libnvinfer.so.10, libnvonnxparser.so.10, libcudart.so.13 or libcudart.so.12, libcudnn.so.9"
    assert "docs/hardware.md" in remedy


def test_a_raspberry_pi_has_its_cpu_and_if_installed_openvino(tmp_path: Path) -> None:
    hardware = report(tmp_path, RASPBERRY, "aarch64")
    assert keys(candidates(hardware, card("int8-s8s8"), installed=BASE)[0]) == [
        "cpu/int8-s8s8/1t",
        "cpu/int8-s8s8/2t",
        "cpu/int8-s8s8/1t x 2",
    ]
    found, _ = candidates(hardware, card("int8-s8s8"), installed=BASE | {"openvino": "1"})
    assert "openvino/int8-s8s8/2t" in keys(found)


def test_the_cpu_takes_what_does_not_suit_it_rather_than_give_no_answer(tmp_path: Path) -> None:
    found, _ = candidates(report(tmp_path, RASPBERRY, "aarch64"), card("a16w8"), installed=BASE)
    assert keys(found) == ["cpu/a16w8/1t", "cpu/a16w8/2t", "cpu/a16w8/1t x 2"]


def test_another_build_of_onnx_runtime_has_the_cpu_provider_too(tmp_path: Path) -> None:
    hardware = report(tmp_path, INTEL, "x86_64")
    found, _ = candidates(hardware, card("fp32"), installed={"onnxruntime-openvino": "1.24.1"})
    assert keys(found)[:3] == ["cpu/fp32/1t", "cpu/fp32/3t", "cpu/fp32/6t"]
    assert "openvino-intree:GPU/fp32/1t" in keys(found)


def test_software_models_of_devices_are_offered_only_when_asked_for(tmp_path: Path) -> None:
    hardware = report(tmp_path, INTEL, "x86_64")
    installed = BASE | {"onnxruntime-qnn": "2.7.0"}
    assert not [key for key in keys(candidates(hardware, card("a16w8"), installed=installed)[0]) if "qnn" in key]
    found, _ = candidates(hardware, card("a16w8"), installed=installed, emulation=True)
    assert "qnn-htp/a16w8/1t" in keys(found)


def test_a_software_driver_stands_for_a_gpu_only_where_emulation_is_asked_for(tmp_path: Path) -> None:
    manifest = '{"ICD": {"library_path": "/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so", "api_version": "1.3.239"}}'
    software = {
        "usr/share/vulkan/icd.d/lvp_icd.x86_64.json": manifest,
        "usr/lib/x86_64-linux-gnu/libvulkan.so.1": "",
    }
    installed = BASE | {"onnxruntime-webgpu": "1.27.0"}
    without_gpu = {path: text for path, text in INTEL.items() if "/drm/" not in path and "dev/dri" not in path}
    hardware = report(tmp_path / "a", without_gpu | software, "x86_64")
    found, rejected = candidates(hardware, card("fp32"), installed=installed)
    assert not [key for key in keys(found) if key.startswith("webgpu")]
    (why,) = [one.reason for one in rejected if one.key == "webgpu:GPU"]
    assert why == "there is no GPU, only Mesa's lavapipe, a software driver, for tests"
    found, _ = candidates(hardware, card("fp32"), installed=installed, emulation=True)
    assert [key for key in keys(found) if key.startswith("webgpu")] == ["webgpu:GPU/fp32/1t"]

    real = report(tmp_path / "b", INTEL | software, "x86_64")
    found, _ = candidates(real, card("fp32"), installed=installed)
    assert "webgpu:GPU/fp32/1t" in keys(found), "a real GPU beside a software driver is the GPU"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ICD": 3}', '{"ICD": {"library_path": 5}}'])
def test_a_manifest_that_cannot_be_read_is_no_driver(tmp_path: Path, text: str) -> None:
    hardware = report(tmp_path, INTEL | {"usr/share/vulkan/icd.d/lvp_icd.x86_64.json": text}, "x86_64")
    assert hardware.device("gpu-software") is None


@pytest.mark.parametrize(
    ("available", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 4]), (6, [1, 3, 6]), (22, [1, 11, 22])]
)
def test_thread_counts_are_one_all_and_half_of_many(available: int, counts: list[int]) -> None:
    assert thread_counts(available) == counts


def test_a_variant_whose_sums_overflow_on_this_cpu_is_not_measured_on_it(tmp_path: Path) -> None:
    variants = card("int8-s8s8", "int8-u8s8", "fp32")
    exact = msgspec.structs.replace(variants.variants["int8-s8s8"], cpus=("x86-vnni", "arm64"))
    seven_bit = msgspec.structs.replace(
        variants.variants["int8-u8s8"], cpus=("x86-avx2", "x86-vnni", "arm64"), reduce_range=True
    )
    made = msgspec.structs.replace(variants, variants={**variants.variants, "int8-s8s8": exact, "int8-u8s8": seven_bit})
    vnni = report(tmp_path, INTEL, "x86_64")
    old = msgspec.structs.replace(vnni, cpu=msgspec.structs.replace(vnni.cpu, integers="none"))
    assert any("int8-s8s8" in key for key in keys(candidates(vnni, made, installed=BASE)[0]))
    found, rejected = candidates(old, made, installed=BASE)
    assert not [key for key in keys(found) if "int8-s8s8" in key]
    # Such weights cannot overflow: nothing is gained by making the activations' partners unsigned at load.
    assert not [key for key in keys(found) if "x64quantprecision" in key]
    reason, _ = why(rejected, "cpu", "CPU", "int8-s8s8")
    assert reason == "its sums are exact on x86-vnni, arm64; this CPU is x86-avx2, where they may overflow"
