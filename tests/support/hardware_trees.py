"""File-system trees of machines that are not here. CONSTRUCTED, not recorded: each says from which sources.

Only what the probe reads is laid out. Ids come from the kernel's sources (Linux 6.12): drivers/accel/ivpu/ivpu_drv.h,
include/drm/intel/i915_pciids.h, include/dt-bindings/arm/qcom,ids.h, arch/arm64/include/asm/cputype.h; device trees from
arch/arm64/boot/dts; CPU flags from the makers' manuals; sensors from Documentation/power/powercap and
hwmon/ina3221.
"""

from __future__ import annotations

from pathlib import Path


def lay_out(root: Path, files: dict[str, str]) -> Path:
    """Write ``files``; a path that ends in / is a folder. Nodes in /dev become plain files of mode 0660."""
    for path, text in files.items():
        place = root / path
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if path.startswith("dev/"):
            place.chmod(0o660)
    return root


def _cpus(count: int, facts: str) -> str:
    return "\n\n".join(f"processor\t: {number}\n{facts}" for number in range(count)) + "\n"


def _arm(part: str, features: str) -> str:
    return f"Features\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}"


def _status(cpus: str) -> str:
    return f"Name:\tpython\nCpus_allowed_list:\t{cpus}\n"


def _memory(total_kb: int) -> str:
    return f"MemTotal:  {total_kb} kB\nMemFree:  1000 kB\nMemAvailable:  {total_kb // 2} kB\n"


# Intel Core Ultra 7 155H (Meteor Lake), Ubuntu 24.04, in a container of 6 CPUs and 4 GiB (cgroup v2).
INTEL = {
    "proc/cpuinfo": _cpus(
        22,
        "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM) Ultra 7 155H\nmicrocode\t: 0x20\n"
        "flags\t\t: fpu sse2 avx f16c fma avx2 avx_vnni sha_ni",
    ),
    "proc/self/status": _status("0-21"),
    "proc/self/cgroup": "0::/\n",
    "proc/sys/kernel/osrelease": "6.8.0-45-generic\n",
    "proc/meminfo": _memory(32_000_000),
    "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
    "sys/fs/cgroup/cpu.max": "600000 100000\n",
    "sys/fs/cgroup/memory.max": "4294967296\n",
    "sys/class/dmi/id/sys_vendor": "ASUSTeK COMPUTER INC.\n",
    "sys/class/dmi/id/product_name": "NUC14RVH\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/class/drm/card0/device/vendor": "0x8086\n",
    "sys/class/drm/card0/device/device": "0x7d55\n",
    "sys/class/drm/card0/device/uevent": "DRIVER=i915\nPCI_ID=8086:7D55\n",
    "sys/class/drm/card0/device/drm/renderD128/": "",
    "sys/class/drm/card0-HDMI-A-1/status": "disconnected\n",
    "dev/dri/renderD128": "",
    "usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so": "",
    "sys/class/accel/accel0/device/vendor": "0x8086\n",
    "sys/class/accel/accel0/device/device": "0x7d1d\n",
    "sys/class/accel/accel0/device/uevent": "DRIVER=intel_vpu\n",
    "dev/accel/accel0": "",
    "sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "1000000\n",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
    "sys/class/powercap/intel-rapl:0:0/name": "core\n",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": "400000\n",
    "sys/class/powercap/intel-rapl:1/name": "psys\n",
    "sys/class/powercap/intel-rapl:1/energy_uj": "9000000\n",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "51000\n",
}

# NVIDIA Jetson Orin Nano developer kit, JetPack 6, with the container runtime's mounts.
JETSON = {
    "proc/cpuinfo": _cpus(6, _arm("0xd42", "fp asimd aes crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp")),
    "proc/self/status": _status("0-5"),
    "proc/self/cgroup": "0::/\n",
    "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
    "proc/meminfo": _memory(7_800_000),
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n",
    "dev/nvhost-gpu": "",
    "dev/nvmap": "",
    "usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1": "",
    "var/lib/nvpmodel/status": "pmode:0002\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_label": "VDD_IN\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_input": "5000\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input": "1200\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in2_input": "5000\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr2_input": "500\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "47500\n",
}

# Qualcomm QCS6490 (RB3 Gen 2), Qualcomm Linux: two kinds of cores; libcdsprpc is not mounted into the container.
QUALCOMM = {
    "proc/cpuinfo": "\n\n".join(
        f"processor\t: {number}\n{_arm('0xd05' if number < 4 else '0xd41', 'fp asimd asimdhp asimddp')}"
        for number in range(8)
    ),
    "proc/self/status": _status("0-7"),
    "proc/self/cgroup": "0::/\n",
    "proc/sys/kernel/osrelease": "6.6.52-qli-1.3\n",
    "proc/meminfo": _memory(5_600_000),
    "proc/device-tree/model": "Qualcomm Technologies, Inc. Robotics RB3gen2\0",
    "proc/device-tree/compatible": "qcom,qcs6490-rb3gen2\0qcom,qcm6490\0",
    "sys/devices/soc0/soc_id": "498\n",
    "sys/devices/soc0/machine": "QCS6490\n",
    "sys/devices/soc0/family": "Snapdragon\n",
    "dev/fastrpc-cdsp": "",
    "dev/dma_heap/system": "",
    "dev/kgsl-3d0": "",
}

# Raspberry Pi 5, Raspberry Pi OS: a GPU without vendor id, a display controller, no energy sensor.
RASPBERRY = {
    "proc/cpuinfo": _cpus(4, _arm("0xd0b", "fp asimd aes crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp")),
    "proc/self/status": _status("0-3"),
    "proc/self/cgroup": "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
    "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-2712\n",
    "proc/meminfo": _memory(8_000_000),
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "1073741824\n",
    "sys/class/drm/card0/device/uevent": "DRIVER=v3d\nOF_COMPATIBLE_0=brcm,2712-v3d\n",
    "sys/class/drm/card0/device/drm/renderD128/": "",
    "sys/class/drm/card1/device/uevent": "DRIVER=vc4-drm\n",
    "sys/class/drm/card1/device/drm/card1/": "",
    "sys/class/drm/renderD128/": "",
    "dev/dri/renderD128": "",
    "sys/class/hwmon/hwmon0/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61200\n",
}
