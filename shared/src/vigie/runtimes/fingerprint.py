"""What makes measurements worthless when it changes: model, packages, drivers, CPU, quota, power mode, our rules."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from vigie.models.bundle import Bundle
from vigie.runtimes.plugged_in import plugged_in
from vigie.runtimes.threads import cpu_quota

# Raised when measuring, judging or the meaning of an option changes.
RULES_VERSION = "1"
PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-ep-openvino",
    "onnxruntime-qnn",
    "onnxruntime-ep-webgpu",
    "onnxruntime-ep-nv-tensorrt-rtx",
    "onnxruntime-migraphx",
    "openvino",
    "numpy",
)


def fingerprint(bundle: Bundle, facts: Mapping[str, str], environ: Mapping[str, str] | None = None) -> str:
    """64 hex digits. The objective is no part of it: measurements outlive it.

    Args: facts: of the hardware, as the probe tells them.
    """
    tree = {
        "rules": RULES_VERSION,
        "bundle": bundle.digest,
        "packages": installed_packages(),
        "engines": plugged_in(os.environ if environ is None else environ),
        "facts": dict(sorted(facts.items())),
    }
    return hashlib.sha256(msgspec.json.encode(tree, order="deterministic")).hexdigest()


def installed_packages() -> dict[str, str]:
    """Name to version, of those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def basic_facts(root: Path = Path("/")) -> dict[str, str]:
    """CPU, kernel, quota and power mode, read without loading anything."""
    lines = _read(root / "proc/cpuinfo").splitlines()
    wanted = ("model name", "flags", "Features", "microcode", "CPU implementer", "CPU part")
    cpu = {key: value for key in wanted if (value := _field(lines, key))}
    return {
        **cpu,
        "machine": platform.machine(),
        "kernel": _read(root / "proc/sys/kernel/osrelease"),
        "affinity": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
        "quota": str(cpu_quota(root)),
        "governor": _read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "power mode": _read(root / "var/lib/nvpmodel/status"),
        "nvidia driver": _read(root / "proc/driver/nvidia/version"),
    }


def _field(lines: list[str], key: str) -> str:
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
