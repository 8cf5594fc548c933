"""The probe on constructed trees (support.hardware_trees) and on the machine itself."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import pytest

from support.hardware_trees import INTEL, JETSON, QUALCOMM, RASPBERRY, lay_out
from vigie.runtimes.hardware import HardwareReport, Installed, ProcessIdentity, probe
from vigie.runtimes.hardware.ask import ask_runtimes, parts
from vigie.runtimes.hardware.text import report_lines

ROOT_USER = ProcessIdentity(0, frozenset({0}))


def probed(root: Path, files: dict[str, str], machine: str, identity: ProcessIdentity = ROOT_USER) -> HardwareReport:
    return probe(lay_out(root, files), machine=machine, identity=identity, packages=())


def without(files: dict[str, str], *gone: str) -> dict[str, str]:
    return {path: text for path, text in files.items() if not path.startswith(gone)}


def test_an_intel_box_with_gpu_and_npu(tmp_path: Path) -> None:
    report = probed(tmp_path, INTEL, "x86_64")
    assert report.board == "ASUSTeK COMPUTER INC. NUC14RVH"
    assert (report.cpu.vendor, report.cpu.integers, report.cpu.logical) == ("GenuineIntel", "avx_vnni", 22)
    assert report.cpu.flags == ("avx", "avx2", "fma", "f16c", "avx_vnni")
    assert (report.cpu.affinity, report.cpu.quota, report.cpu.threads) == (22, 6.0, 6)
    assert report.memory.limit_bytes == 4 << 30
    assert report.memory.total_bytes == 32_000_000 * 1024
    gpu, npu = report.devices
    assert (gpu.id, gpu.node, gpu.driver, gpu.usable) == ("gpu-intel", "/dev/dri/renderD128", "i915", True)
    assert (npu.id, npu.node, npu.driver) == ("npu-intel", "/dev/accel/accel0", "intel_vpu")
    assert (npu.usable, npu.why_not) == (False, "no libze_intel_npu.so.1")
    assert npu.remedy == "put in Intel's NPU driver in the image"
    assert [sensor.domain for sensor in report.energy] == ["package-0"], "core is in package, psys overlaps it"
    assert [sensor.domain for sensor in report.thermal] == ["x86_pkg_temp"]
    assert report.power_mode == "powersave"


def test_a_jetson(tmp_path: Path) -> None:
    report = probed(tmp_path, JETSON, "aarch64")
    assert report.board == "NVIDIA Jetson Orin Nano Developer Kit"
    assert (report.cpu.model, report.cpu.integers, report.cpu.threads) == ("Cortex-A78AE", "asimddp", 6)
    (gpu,) = report.devices
    assert (gpu.id, gpu.node, gpu.usable, gpu.facts) == (
        "gpu-tegra",
        "/dev/nvhost-gpu",
        True,
        {"l4t": "R36 (release)"},
    )
    assert [sensor.domain for sensor in report.energy] == ["board:VDD_IN"], "the total, not the rails beside it"
    assert report.power_mode == "nvpmodel pmode:0002"


def test_a_jetson_without_its_container_runtime_says_what_to_set(tmp_path: Path) -> None:
    report = probed(tmp_path, without(JETSON, "usr/lib"), "aarch64")
    assert report.devices[0].why_not == "no libcuda.so.1"
    assert "HostConfig.Runtime: nvidia" in report.devices[0].remedy


def test_a_qualcomm_board(tmp_path: Path) -> None:
    report = probed(tmp_path, QUALCOMM, "aarch64")
    assert report.cpu.model == "4 x Cortex-A55 + 4 x Cortex-A78"
    htp, gpu = report.devices
    assert (htp.id, htp.name, htp.node) == ("dsp-qualcomm", "Qualcomm HTP QCS6490", "/dev/fastrpc-cdsp")
    assert htp.facts == {"soc_id": "498", "machine": "QCS6490", "family": "Snapdragon"}
    assert (htp.usable, htp.why_not) == (False, "no libcdsprpc.so")
    assert (gpu.id, gpu.usable) == ("gpu-qualcomm", True)
    numbered = probed(tmp_path, {"usr/lib/libcdsprpc.so.1": ""}, "aarch64").devices[0]
    assert numbered.why_not == "libcdsprpc.so.1 is there, but not by the name libcdsprpc.so"
    assert numbered.remedy == "bind it as libcdsprpc.so (createOptions: Binds)"
    assert probed(tmp_path, {"usr/lib/libcdsprpc.so": ""}, "aarch64").devices[0].usable


def test_a_raspberry_pi_in_a_container_of_cgroup_v1(tmp_path: Path) -> None:
    report = probed(tmp_path, RASPBERRY, "aarch64")
    assert report.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert (report.cpu.quota, report.cpu.threads, report.memory.limit_bytes) == (1.5, 2, 1 << 30)
    assert [(device.id, device.driver) for device in report.devices] == [("gpu-other", "v3d")], "vc4 only displays"
    assert report.energy == ()
    assert "no sensor: energy per inference is unavailable" in "\n".join(report_lines(report))


@pytest.mark.parametrize(
    ("gone", "why_not", "remedy"),
    [
        ("dev/dri", "no /dev/dri/renderD128", "pass /dev/dri into the container (createOptions: HostConfig.Devices)"),
        ("usr/lib", "no libigdrcl.so", "put in Intel's compute runtime (intel-opencl-icd) in the image"),
    ],
)
def test_a_gpu_that_a_container_cannot_use_says_why_and_what_to_do(
    tmp_path: Path, gone: str, why_not: str, remedy: str
) -> None:
    gpu = probed(tmp_path, without(INTEL, gone), "x86_64").devices[0]
    assert (gpu.usable, gpu.why_not, gpu.remedy) == (False, why_not, remedy)


def test_a_node_of_another_group_names_the_group_to_add(tmp_path: Path) -> None:
    root = lay_out(tmp_path, INTEL)
    facts = (root / "dev/dri/renderD128").stat()
    stranger = ProcessIdentity(facts.st_uid + 1, frozenset({facts.st_gid + 1}))
    gpu = probe(root, machine="x86_64", identity=stranger, packages=()).devices[0]
    assert gpu.why_not == f"/dev/dri/renderD128 is closed to this user (it belongs to group {facts.st_gid})"
    assert gpu.remedy == f'add the group by number (createOptions: HostConfig.GroupAdd ["{facts.st_gid}"])'
    member = ProcessIdentity(facts.st_uid + 1, frozenset({facts.st_gid}))
    assert probe(root, machine="x86_64", identity=member, packages=()).devices[0].usable


def test_nvidia_cards_are_named_by_the_driver_and_without_one_by_the_bus(tmp_path: Path) -> None:
    card = {
        "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module  580.65.06  Release Build\n",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA L4\nDevice Minor: \t 0\n",
        "dev/nvidia0": "",
        "usr/lib/x86_64-linux-gnu/libcuda.so.1": "",
    }
    (gpu,) = probed(tmp_path / "with", card, "x86_64").devices
    assert (gpu.name, gpu.usable) == ("NVIDIA L4", True)
    assert gpu.facts == {"driver": "580.65.06"}
    bus = {
        "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
        "sys/bus/pci/devices/0000:01:00.0/device": "0x27b8\n",
        "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
    }
    (gpu,) = probed(tmp_path / "without", bus, "x86_64").devices
    assert (gpu.usable, gpu.why_not) == (False, "no /dev/nvidia0")


def test_an_empty_tree_is_a_report_too(tmp_path: Path) -> None:
    report = probed(tmp_path, {}, "riscv64")
    assert (report.devices, report.energy, report.thermal, report.cpu.threads) == ((), (), (), 1)
    assert list(report_lines(report))


def test_the_report_is_a_frozen_value_that_json_carries(tmp_path: Path) -> None:
    report = probed(tmp_path, INTEL, "x86_64")
    assert msgspec.json.decode(msgspec.json.encode(report), type=HardwareReport) == report
    with pytest.raises(AttributeError):
        report.board = "another"  # type: ignore[misc]
    assert probe(tmp_path, machine="x86_64", identity=ROOT_USER, packages=()) == report


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sys/fs/cgroup/cpu.max", "100000 100000\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("proc/sys/kernel/osrelease", "6.9.0\n"),
        ("usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1", ""),
    ],
)
def test_what_changes_the_measurements_changes_the_fingerprint(tmp_path: Path, path: str, text: str) -> None:
    before = probed(tmp_path / "a", INTEL, "x86_64").fingerprint_facts()
    after = probed(tmp_path / "b", INTEL | {path: text}, "x86_64").fingerprint_facts()
    assert before != after
    again = probed(tmp_path / "c", INTEL | {"sys/class/thermal/thermal_zone0/temp": "90000\n"}, "x86_64")
    assert again.fingerprint_facts() == before, "a warm day is no other machine"


def test_this_machine_is_reported_as_the_system_sees_it() -> None:
    report = probe()
    assert report.cpu.machine == platform.machine()
    assert report.cpu.affinity == len(os.sched_getaffinity(0))
    assert 1 <= report.cpu.threads <= report.cpu.affinity
    assert report.memory.total_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert report.kernel == platform.release()
    assert report.package("onnxruntime") is not None


def test_the_runtimes_are_asked_in_a_child_process() -> None:
    asked = probe(ask=True).asked
    assert asked is not None
    assert asked.failed == {}
    assert "CPUExecutionProvider" in [device.provider for device in asked.devices]


def test_runtimes_that_hang_or_crash_cost_only_their_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    here = (Installed("onnxruntime", "1"), Installed("ai-edge-litert", "2"))
    asked = ask_runtimes(here, timeout_s=0.01)
    late = "gave no answer in 0.01 s: a driver hangs, or the machine is busy"
    assert asked.failed == {"onnxruntime": late, "litert": late}
    assert asked.late == ("onnxruntime", "litert")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # the child does not even start
    failed = ask_runtimes(here).failed
    assert failed.keys() == {"onnxruntime", "litert"}
    assert failed["litert"].startswith("ended with code 1: ")


def test_a_runtime_that_ends_by_a_signal_is_named_and_the_others_still_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert/__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = ask_runtimes((Installed("onnxruntime", "1"), Installed("ai-edge-litert", "2")))
    assert (asked.failed, asked.late) == ({"litert": "ended by SIGSEGV"}, ())
    assert "CPUExecutionProvider" in [device.provider for device in asked.devices]


def test_only_what_is_installed_is_asked_and_plugins_come_after_their_runtime() -> None:
    assert parts(()) == []
    here = (Installed("onnxruntime-qnn", "2"), Installed("openvino", "2026"), Installed("onnxruntime", "1"))
    assert parts(here) == ["onnxruntime", "openvino", "QNNExecutionProvider"]


def test_a_processor_of_another_architecture_in_the_kernels_file_is_called_emulated(tmp_path: Path) -> None:
    cpu = probed(tmp_path / "arm", INTEL, "aarch64").cpu
    assert (cpu.model, cpu.emulated_on) == ("aarch64, emulated", "Intel(R) Core(TM) Ultra 7 155H")
    assert (cpu.flags, cpu.integers, cpu.vendor) == ((), "none", "")
    assert cpu.sums == "arm64"
    report = probed(tmp_path / "x86", RASPBERRY, "x86_64")
    assert report.cpu.model == "x86_64, emulated"
    text = "\n".join(report_lines(report))
    assert "x86_64, emulated, 4 cores, 4 logical; the processor is Cortex-A76: speed says nothing" in text
    assert "8-bit dot product" not in text
    assert probed(tmp_path / "own", INTEL, "x86_64").cpu.emulated_on == ""


@pytest.mark.parametrize(
    ("bill", "expected"),
    [
        (
            '{"metadata": {"component": {"name": "vigie-inference", "version": "0.1.0-rc-1-arm64v8-qnn"}}}',
            "arm64v8-qnn",
        ),
        ('{"metadata": {"component": {"name": "vigie-sync", "version": "0.1.0-amd64"}}}', "amd64"),
        ('{"metadata": {"component": {"name": "vigie-sync", "version": "0.1.0"}}}', None),
        ('{"metadata": {}}', None),
        ("{", None),
    ],
    ids=["with-engine", "plain", "another-bill", "empty", "torn"],
)
def test_the_image_is_read_from_its_bill_of_materials(tmp_path: Path, bill: str, expected: str | None) -> None:
    image = probed(tmp_path, INTEL | {"opt/vigie/sbom.cdx.json": bill}, "x86_64").image
    assert (image.key if image else None) == expected
    if expected == "arm64v8-qnn":
        assert image is not None
        assert (image.name, image.version) == ("vigie-inference", "0.1.0-rc-1")
