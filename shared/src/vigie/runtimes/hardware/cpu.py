"""CPU and memory of the report."""

from __future__ import annotations

import re

from vigie.runtimes.hardware.report import Cpu, Memory
from vigie.runtimes.hardware.tree import Tree
from vigie.runtimes.threads import cgroup_folders, cpu_quota, thread_count

# Those that choose a kernel in ONNX Runtime's MLAS or in oneDNN; the rest says nothing here.
_X86 = (
    "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx_vnni_int8",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
)  # fmt: skip
_ARM = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme", "sme2")
# From the best down.
_INTEGERS = ("amx_int8", "avx_vnni_int8", "avx512_vnni", "avx_vnni", "sme", "i8mm", "asimddp")
_IMPLEMENTERS = {"0x41": "ARM", "0x4e": "NVIDIA", "0x51": "Qualcomm", "0x61": "Apple", "0x48": "HiSilicon"}
_PARTS = {
    ("0x41", "0xd03"): "Cortex-A53", ("0x41", "0xd05"): "Cortex-A55", ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72", ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE", ("0x41", "0xd4b"): "Cortex-A78C", ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710", ("0x41", "0xd0c"): "Neoverse-N1", ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd44"): "Cortex-X1", ("0x41", "0xd4c"): "Cortex-X1C", ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd4d"): "Cortex-A715", ("0x41", "0xd4e"): "Cortex-X3", ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720", ("0x41", "0xd82"): "Cortex-X4", ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725", ("0x4e", "0x003"): "Denver 2", ("0x4e", "0x004"): "Carmel",
    ("0x41", "0xd49"): "Neoverse-N2", ("0x41", "0xd4f"): "Neoverse-V2", ("0x41", "0xd84"): "Neoverse-V3",
}  # fmt: skip


def read_cpu(tree: Tree, machine: str) -> Cpu:
    """The CPU, with what of it this process may use."""
    processors = _processors(tree.text("proc/cpuinfo"))
    first = processors[0] if processors else {}
    foreign = _foreign(first, machine)
    words = set() if foreign else set(first.get("flags", first.get("Features", "")).split())
    known = _ARM if "Features" in first else _X86
    quota = cpu_quota(tree.root)
    affinity = _affinity(tree.text("proc/self/status")) or len(processors) or 1
    return Cpu(
        machine=machine,
        vendor="" if foreign else first.get("vendor_id", "") or _IMPLEMENTERS.get(first.get("CPU implementer", ""), ""),
        model=f"{machine}, emulated" if foreign else _model(processors),
        flags=tuple(flag for flag in known if flag in words),
        integers=next((flag for flag in _INTEGERS if flag in words), "none"),
        cores=_physical(processors),
        logical=len(processors) or 1,
        affinity=affinity,
        quota=quota,
        threads=thread_count(affinity, quota),
        microcode=first.get("microcode", ""),
        governor=tree.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        emulated_on=_model(processors) if foreign else "",
    )


def read_memory(tree: Tree) -> Memory:
    """Memory of the machine and the tightest limit of this process's cgroups."""
    facts = {line.split(":")[0]: line.split() for line in tree.text("proc/meminfo").splitlines() if ":" in line}

    def size(name: str) -> int:
        words = facts.get(name, [])
        return int(words[1]) * 1024 if len(words) > 1 and words[1].isdecimal() else 0

    total = size("MemTotal")
    limits: list[int] = []
    for folder in cgroup_folders(tree.root, controller="memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = tree.number(str(folder.relative_to(tree.root) / name))
            # v1 says "no limit" with a number near 2^63.
            if limit is not None and 0 < limit < (total or 1 << 50):
                limits.append(limit)
    return Memory(total, size("MemAvailable"), min(limits, default=None))


def _processors(cpuinfo: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for block in re.split(r"\n\s*\n", cpuinfo):
        facts = {}
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon:
                facts[name.strip()] = value.strip()
        if "processor" in facts:
            found.append(facts)
    return found


def _foreign(facts: dict[str, str], machine: str) -> bool:
    """Whether the kernel describes a processor that ``machine`` is not: an emulator passes the host's file on."""
    arm = machine in {"aarch64", "arm64"}
    return ("flags" in facts and arm) or ("Features" in facts and machine in {"x86_64", "AMD64"})


def _model(processors: list[dict[str, str]]) -> str:
    names: dict[str, int] = {}
    for facts in processors:
        name = facts.get("model name", "")
        if not name:
            code = (facts.get("CPU implementer", ""), facts.get("CPU part", ""))
            name = _PARTS.get(code, f"{_IMPLEMENTERS.get(code[0], code[0])} part {code[1]}" if code[0] else "unknown")
        names[name] = names.get(name, 0) + 1
    if len(names) > 1:  # big and little cores
        return " + ".join(f"{count} x {name}" for name, count in names.items())
    return next(iter(names), "unknown")


def _physical(processors: list[dict[str, str]]) -> int:
    cores = {
        (facts["physical id"], facts["core id"]) for facts in processors if {"physical id", "core id"} <= set(facts)
    }
    return len(cores) or len(processors) or 1


def _affinity(status: str) -> int:
    match = re.search(r"^Cpus_allowed_list:\s*([\d,-]+)", status, re.MULTILINE)
    if not match:
        return 0
    total = 0
    for part in match[1].split(","):
        low, _, high = part.partition("-")
        total += int(high or low) - int(low) + 1
    return total
