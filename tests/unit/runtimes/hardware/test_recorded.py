"""The probe on files of real machines (support.recorded_trees): names, flags, devices, and what is missing there."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import recorded_trees as recorded
from support.hardware_trees import lay_out
from vigie.runtimes.hardware import HardwareReport, ProcessIdentity, probe
from vigie.runtimes.hardware.text import report_lines


def probed(root: Path, machine: recorded.Recorded) -> HardwareReport:
    return probe(
        lay_out(root, machine.files), machine=machine.machine, identity=ProcessIdentity(0, frozenset()), packages=()
    )


@pytest.mark.parametrize(
    ("machine", "model", "integers", "sums", "logical"),
    [
        (recorded.RASPBERRY_PI_5, "Cortex-A76", "asimddp", "arm64", 4),
        (recorded.JETSON_AGX_XAVIER, "Carmel", "none", "arm64", 4),
        (recorded.JETSON_TX2, "2 x Cortex-A57 + 2 x Denver 2", "none", "arm64", 4),
        (recorded.CORE_ULTRA_155H, "Intel(R) Core(TM) Ultra 7 155H", "avx_vnni", "x86-vnni", 1),
        (recorded.RYZEN_PHOENIX, "AMD Ryzen 9 7940HS w/ Radeon 780M Graphics", "avx512_vnni", "x86-vnni", 1),
        (recorded.IMX_8M, "Cortex-A53", "none", "arm64", 4),
        (recorded.GB10, "Cortex-A725", "i8mm", "arm64", 2),
        (recorded.SNAPDRAGON_6_GEN_3, "4 x Cortex-A55 + 1 x Cortex-A78", "asimddp", "arm64", 5),
    ],
    ids=lambda value: value.sources[0].rpartition("/")[2] if isinstance(value, recorded.Recorded) else None,
)
def test_the_cpu_of_a_real_machine_has_its_name_and_its_best_integers(
    tmp_path: Path, machine: recorded.Recorded, model: str, integers: str, sums: str, logical: int
) -> None:
    cpu = probed(tmp_path, machine).cpu
    assert (cpu.model, cpu.integers, cpu.sums, cpu.logical) == (model, integers, sums, logical)


def test_flags_that_choose_kernels_are_found_among_all_that_a_real_cpu_lists(tmp_path: Path) -> None:
    assert probed(tmp_path / "a", recorded.RYZEN_PHOENIX).cpu.flags == (
        "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
    )  # fmt: skip
    assert probed(tmp_path / "b", recorded.GB10).cpu.flags == (
        "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
    )  # fmt: skip
    assert probed(tmp_path / "c", recorded.JETSON_AGX_XAVIER).cpu.flags == ("asimd", "asimdhp")


def test_an_intel_laptop_s_gpu_and_an_amd_one_s_npu(tmp_path: Path) -> None:
    (gpu,) = probed(tmp_path / "intel", recorded.CORE_ULTRA_155H).devices
    assert (gpu.id, gpu.name, gpu.driver, gpu.why_not) == (
        "gpu-intel", "Intel GPU 0x8086:0x7d55", "i915", "no libigdrcl.so",
    )  # fmt: skip
    (npu,) = probed(tmp_path / "amd", recorded.RYZEN_PHOENIX).devices
    assert (npu.id, npu.name, npu.usable) == ("npu-amd", "AMD NPU 0x1022:0x1502", False)
    assert npu.why_not == "no libxrt_coreutil.so.2"


def test_a_jetson_orin_with_a_power_monitor_whose_channel_fails_has_no_false_meter(tmp_path: Path) -> None:
    report = probed(tmp_path, recorded.JETSON_AGX_ORIN)
    (gpu,) = report.devices
    assert (gpu.id, gpu.usable, gpu.why_not) == ("gpu-tegra", False, "no /dev/nvhost-gpu")
    assert report.energy == ()
    assert [sensor.domain for sensor in report.thermal] == ["cpu-thermal", "gpu-thermal"]


@pytest.mark.parametrize(
    ("machine", "name", "why_not"),
    [
        (recorded.QUALCOMM_GLYMUR, "Qualcomm HTP Qualcomm Technologies, Inc. Glymur CRD", "no libcdsprpc.so"),
        (recorded.QUALCOMM_RB3, "Qualcomm HTP", "no /dev/dma_heap/system"),
    ],
    ids=["glymur", "rb3"],
)
def test_a_qualcomm_board_says_what_its_dsp_lacks(
    tmp_path: Path, machine: recorded.Recorded, name: str, why_not: str
) -> None:
    (dsp,) = probed(tmp_path, machine).devices
    assert (dsp.id, dsp.name, dsp.why_not) == ("dsp-qualcomm", name, why_not)


@pytest.mark.parametrize("name", recorded.ALL)
def test_every_recorded_machine_gives_a_report_that_people_can_read(tmp_path: Path, name: str) -> None:
    machine = recorded.ALL[name]
    assert all(source.startswith("https://") for source in machine.sources)
    assert list(report_lines(probed(tmp_path, machine)))
