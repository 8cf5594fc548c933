"""Files of real machines, as people printed them in public issues: the probe is held to what machines really say.

Each has its source. Where a report shows some of the processors, or a log line in place of a file, only that is laid
out; what is not shown is absent, which the probe must take too.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recorded:
    """``sources``: the issues. ``files``: by path, as printed there. ``machine``: what ``uname -m`` says."""

    machine: str
    sources: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)


_A76 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_A53 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"


def _arm(count: int, mhz: str, features: str, implementer: str, variant: str, part: str, revision: int) -> list[str]:
    block = (
        f"processor\t: {{}}\nBogoMIPS\t: {mhz}\nFeatures\t: {features}\nCPU implementer\t: {implementer}\n"
        f"CPU architecture: 8\nCPU variant\t: {variant}\nCPU part\t: {part}\nCPU revision\t: {revision}\n"
    )
    return [block] * count


def _cpuinfo(processors: list[str], tail: str = "") -> dict[str, str]:
    blocks = [block.format(number) for number, block in enumerate(processors)]
    return {"proc/cpuinfo": "\n".join([*blocks, tail])}


RASPBERRY_PI_5 = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/96",),
    _cpuinfo(
        _arm(4, "108.00", _A76, "0x41", "0x4", "0xd0b", 1),
        "Hardware\t: BCM2835\nRevision\t: d04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    ),
)

# The second power monitor of the board, one of whose channels answers with an I/O error; zones as in the second issue.
JETSON_AGX_ORIN = Recorded(
    "aarch64",
    (
        "https://github.com/NVIDIA/jetson-gpio/issues/125",
        "https://github.com/alumet-dev/alumet/issues/212",
        "https://github.com/laminair/jetson_stats_node_exporter/issues/29",
    ),
    {
        "proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0nvidia,tegra23x\0",
        "sys/bus/i2c/drivers/ina3221/1-0041/uevent": "DRIVER=ina3221\nOF_NAME=ina3221\nOF_COMPATIBLE_0=ti,ina3221\n",
        "sys/bus/i2c/drivers/ina3221/1-0041/name": "ina3221\n",
        "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/curr2_max_alarm": "0\n",
        "sys/bus/i2c/drivers/ina3221/1-0041/hwmon/hwmon2/in3_input/": "",  # reading it is an error, as there
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "47400\n",
        "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "43000\n",
    },
)

# The first four of its processors: NVIDIA's own cores.
JETSON_AGX_XAVIER = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/63",),
    _cpuinfo(
        _arm(
            4, "62.50",
            "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm dcpop",
            "0x4e", "0x0", "0x004", 0,
        )
    )
    | {"proc/sys/kernel/osrelease": "5.10.104-tegra\n"},
)  # fmt: skip

# Two kinds of cores in one machine, of two implementers.
JETSON_TX2 = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/25",),
    _cpuinfo(
        [
            *_arm(1, "62.50", "fp asimd evtstrm aes pmull sha1 sha2 crc32", "0x41", "0x1", "0xd07", 3),
            *_arm(2, "62.50", "fp asimd evtstrm aes pmull sha1 sha2 crc32", "0x4e", "0x0", "0x003", 0),
            *_arm(1, "62.50", "fp asimd evtstrm aes pmull sha1 sha2 crc32", "0x41", "0x1", "0xd07", 3),
        ]
    ),
)

_155H = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush dts acpi mmx fxsr "
    "sse sse2 ss ht tm pbe syscall nx pdpe1gb rdtscp lm constant_tsc art arch_perfmon pebs bts rep_good "
    "nopl xtopology nonstop_tsc cpuid aperfmperf tsc_known_freq pni pclmulqdq dtes64 monitor ds_cpl vmx "
    "smx est tm2 ssse3 sdbg fma cx16 xtpr pdcm pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer "
    "aes xsave avx f16c rdrand lahf_lm abm 3dnowprefetch cpuid_fault epb ssbd ibrs ibpb stibp "
    "ibrs_enhanced tpr_shadow flexpriority ept vpid ept_ad fsgsbase tsc_adjust bmi1 avx2 smep bmi2 erms "
    "invpcid rdseed adx smap clflushopt clwb intel_pt sha_ni xsaveopt xsavec xgetbv1 xsaves "
    "split_lock_detect user_shstk avx_vnni dtherm ida arat pln pts hwp hwp_notify hwp_act_window hwp_epp "
    "hwp_pkg_req hfi vnmi umip"
)
# Its first processor, and the GPU that i915 names in the kernel's log (0000:00:02, device 7d55).
CORE_ULTRA_155H = Recorded(
    "x86_64",
    (
        "https://github.com/erpalma/throttled/issues/356",
        "https://github.com/strongtz/i915-sriov-dkms/issues/210",
    ),
    {
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 170\n"
        "model name\t: Intel(R) Core(TM) Ultra 7 155H\nstepping\t: 4\nmicrocode\t: 0x1c\nphysical id\t: 0\n"
        f"siblings\t: 22\ncore id\t\t: 16\ncpu cores\t: 16\nflags\t\t: {_155H}\n",
        "sys/class/drm/card0/device/vendor": "0x8086\n",
        "sys/class/drm/card0/device/device": "0x7d55\n",
        "sys/class/drm/card0/device/uevent": "DRIVER=i915\nPCI_ID=8086:7D55\n",
        "sys/class/drm/card0/device/drm/renderD128/": "",
        "dev/dri/renderD128": "",
    },
)

_7940HS = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht "
    "syscall nx mmxext fxsr_opt pdpe1gb rdtscp lm constant_tsc rep_good amd_lbr_v2 nopl nonstop_tsc cpuid "
    "extd_apicid aperfmperf rapl pni pclmulqdq monitor ssse3 fma cx16 sse4_1 sse4_2 x2apic movbe popcnt "
    "aes xsave avx f16c rdrand lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse "
    "3dnowprefetch osvw ibs skinit wdt tce topoext bmi1 avx2 smep bmi2 erms invpcid cqm rdt_a avx512f "
    "avx512dq rdseed adx smap avx512ifma clflushopt clwb avx512cd sha_ni avx512bw avx512vl xsaveopt "
    "xsavec xgetbv1 xsaves avx512_bf16 clzero irperf avx512vbmi umip pku ospke avx512_vbmi2 gfni vaes "
    "vpclmulqdq avx512_vnni avx512_bitalg avx512_vpopcntdq rdpid overflow_recov succor smca fsrm "
    "flush_l1d"
)
# An APU: its CPU's flags, and the NPU that amdxdna takes on such a chip (its id by pci.ids; no XRT).
RYZEN_PHOENIX = Recorded(
    "x86_64",
    (
        "https://github.com/Dr-Noob/cpufetch/issues/313",
        "https://github.com/Umio-Yasuno/amdgpu_top/issues/120",
    ),
    {
        "proc/cpuinfo": "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD Ryzen 9 7940HS w/ Radeon 780M "
        f"Graphics\nflags\t\t: {_7940HS}\n",
        "sys/class/accel/accel0/device/vendor": "0x1022\n",
        "sys/class/accel/accel0/device/device": "0x1502\n",
        "sys/class/accel/accel0/device/uevent": "DRIVER=amdxdna\nPCI_SLOT_NAME=0000:c2:00.1\n",
        "dev/accel/accel0": "",
    },
)

# i.MX 8M Quad (Librem 5). The 8M Plus has the same cores: 0x410FD034 in github.com/Dr-Noob/cpufetch/issues/261.
IMX_8M = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/3",),
    _cpuinfo(_arm(4, "16.66", _A53, "0x41", "0x0", "0xd03", 4)),
)

# Two of its processors: a machine with i8mm, bf16 and SVE2.
GB10 = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/133",),
    _cpuinfo(
        _arm(
            2, "2000.00",
            "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop "
            "sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm sb paca pacg dcpodp sve2 sveaes svepmull "
            "svebitperm svesha3 svesm4 flagm2 frint svei8mm svebf16 i8mm bf16 dgh bti ecv afp wfxt",
            "0x41", "0x0", "0xd87", 1,
        )
    ),
)  # fmt: skip

# A Qualcomm reference board, as fastrpc's own test printed it; the test had opened the node.
QUALCOMM_GLYMUR = Recorded(
    "aarch64",
    ("https://github.com/qualcomm-linux/meta-qcom/pull/1971",),
    {
        "sys/devices/soc0/machine": "Qualcomm Technologies, Inc. Glymur CRD\n",
        "sys/devices/soc0/soc_id": "698\n",
        "proc/sys/kernel/osrelease": "7.0.0-rc6-00633-gaa085abae3ad\n",
        "proc/device-tree/compatible": "qcom,glymur-crd\0qcom,glymur\0",
        "dev/fastrpc-cdsp": "",
    },
)

# RB3 (Dragonboard 845c): the daemon's log says that there is no /dev/dma_heap/system.
QUALCOMM_RB3 = Recorded(
    "aarch64",
    ("https://github.com/qualcomm/fastrpc/issues/167",),
    {
        "proc/device-tree/compatible": "thundercomm,db845c\0qcom,sdm845\0",
        "dev/fastrpc-cdsp": "",
        "usr/lib/libcdsprpc.so": "",
    },
)

# Two clusters: the first processors of each.
SNAPDRAGON_6_GEN_3 = Recorded(
    "aarch64",
    ("https://github.com/hrw/arm-socs-table/issues/173",),
    _cpuinfo([*_arm(4, "38.40", _A76, "0x41", "0x2", "0xd05", 0), *_arm(1, "38.40", _A76, "0x41", "0x1", "0xd41", 2)]),
)

ALL = {name: value for name, value in dict(globals()).items() if isinstance(value, Recorded)}
