"""What could run a model here, and why the rest could not: a function of the report, the card and the table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import msgspec

from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.hardware.libraries import lacking
from vigie.runtimes.hardware.report import HardwareReport, IntegerSums
from vigie.runtimes.providers import TABLE, Row

_MACHINES = {"arm64": "aarch64", "AMD64": "x86_64"}
_WORDS = {
    "gpu-intel": "Intel GPU",
    "gpu-amd": "AMD GPU",
    "gpu-nvidia": "NVIDIA GPU",
    "gpu-tegra": "NVIDIA GPU",
    "gpu-qualcomm": "Qualcomm GPU",
    "npu-intel": "Intel NPU",
    "npu-amd": "AMD NPU",
    "dsp-qualcomm": "Qualcomm HTP",
}


class Rejected(msgspec.Struct, frozen=True):
    """No candidate here. ``variant`` is empty where the whole provider is out, ``remedy`` where none is known."""

    engine: str
    provider: str
    device: str
    variant: str
    reason: str
    remedy: str

    @property
    def key(self) -> str:
        return "/".join(part for part in (f"{self.provider}:{self.device}", self.variant) if part)


def candidates(
    report: HardwareReport,
    card: Card,
    *,
    installed: Mapping[str, str] | None = None,
    emulation: bool = False,
    platform: str = sys.platform,
    delegate: NamedDelegate | None = None,
) -> tuple[list[Candidate], list[Rejected]]:
    """Engine x device x variant x threads that are worth measuring, and why the others are not.

    Args: installed: version by package name; ``None`` = the report's. emulation: offer software models of devices too
        (placement and parity can be judged on them, speed cannot). delegate: of LiteRT, as the configuration names it.
    """
    packages = {package.name: package.version for package in report.packages} if installed is None else installed
    found: list[Candidate] = []
    rejected: list[Rejected] = []
    formats = {variant.format for variant in card.variants.values()}
    for row in TABLE.values():
        for device in row.devices:
            if row.format not in formats:
                # What is not installed is no reason yet: there would be nothing for it to run.
                reason = f"this bundle has no .{row.format} variant"
                rejected.append(Rejected(row.engine, row.id, device, "", reason, "add one: ./vigie models attach"))
                continue
            why_not = unavailable(row, device, report, packages, emulation=emulation, platform=platform)
            if not why_not and row.named and (delegate is None or delegate.device != device):
                why_not = f"no delegate for a {device} is named", "name its library: runtime.delegate in the twin"
            if why_not:
                rejected.append(Rejected(row.engine, row.id, device, "", *why_not))
                continue
            suited, unsuited = _variants(row, card, report.cpu.sums)
            for name, reason in unsuited.items():
                rejected.append(Rejected(row.engine, row.id, device, name, reason, _prefers(row)))
            for name in suited:
                if row.named and delegate is not None:
                    found.append(Candidate(row.engine, row.id, device, name, 1, delegate.candidate_options()))
                else:
                    found += _expand(row, device, name, card, report)
    return found, rejected


def unavailable(
    row: Row,
    device: str,
    report: HardwareReport,
    installed: Mapping[str, str],
    *,
    emulation: bool = False,
    platform: str = sys.platform,
) -> tuple[str, str] | None:
    """Why the device of this row cannot be used here and what to do; ``None`` if it can."""
    need = row.devices[device]
    machine = _MACHINES.get(report.cpu.machine, report.cpu.machine)
    if row.platform != platform:
        return f"it needs {row.platform}", ""
    if machine in need.emulated_on:
        if not emulation:
            reason = f"{machine} has no {device}; the package emulates it, for tests only"
            return reason, "run it on a device that has one"
        return _software(row, installed, report, emulated=True)
    if machine not in {_MACHINES.get(name, name) for name in need.machines}:
        return f"it needs {' or '.join(need.machines)}, this is {machine}", ""
    lacks = _hardware(row, device, report)
    software = report.device(*need.emulated_by) if need.emulated_by else None
    if lacks and software is not None:
        if not emulation:
            return f"there is no GPU, only {software.name}, for tests", "run it on a device that has one"
        lacks = None
    return lacks or _software(row, installed, report, emulated=False)


def _software(
    row: Row, installed: Mapping[str, str], report: HardwareReport, *, emulated: bool
) -> tuple[str, str] | None:
    if not any(package.name in installed for package in row.packages):
        return f"{row.packages[0].name} is not installed", _how_to_get(row, report)
    missing = [] if emulated else lacking(row.libraries, report.libraries)
    if missing:
        names = ", ".join(group.replace("|", " or ") for group in missing)
        return f"no {names}", "put it into the image, or let the container runtime mount it (docs/hardware.md)"
    # Only a report whose runtimes were asked knows; the module finds out by measuring.
    for name in (row.engine, row.ep):
        broken = None if report.asked is None else report.asked.broken(name)
        if broken is not None:
            return f"{name} does not load: {broken}", _emulator(report)
    return None


def _how_to_get(row: Row, report: HardwareReport) -> str:
    first = row.packages[0]
    if report.image is not None:  # nothing can be installed into an image that runs
        architecture = report.image.key.partition("-")[0]
        keys = [key for key in row.images if key.partition("-")[0] == architecture]
        named = " or ".join(keys)
        return f"use the image for {named}" if keys else f"build an image of your own with {first.name}"
    extra = f" (vigie[{first.extra}])" if first.extra else ""
    where = f", from {first.where}" if first.where else ""
    instead = " in place of onnxruntime" if row.way == "built-in" and first.name != "onnxruntime" else ""
    return f"install {first.name}{extra}{where}{instead}"


def _emulator(report: HardwareReport) -> str:
    if not report.cpu.emulated_on or report.cpu.machine not in {"aarch64", "arm64"}:
        return ""
    return "the emulator shows it the host's processor: bind an ARM /proc/cpuinfo (docs/images.md)"


def _hardware(row: Row, device: str, report: HardwareReport) -> tuple[str, str] | None:
    ids = row.devices[device].ids
    if not ids:
        return None
    if ids == ("cpu-intel",):
        return (
            None if report.cpu.vendor == "GenuineIntel" else (f"it needs an Intel CPU, this is {report.cpu.model}", "")
        )
    found = report.device(*ids)
    if found is None:
        # A row that takes even a GPU of unknown make takes any.
        wanted = "GPU" if "gpu-other" in ids else " or ".join(dict.fromkeys(_WORDS[id_] for id_ in ids))
        return f"there is no {wanted}" + (": neither /dev/dri nor Vulkan shows one" if row.vulkan else ""), ""
    return None if found.usable else (found.why_not, found.remedy)


def _prefers(row: Row) -> str:
    return f"{row.id} prefers {', '.join(row.precisions)}"


def _variants(row: Row, card: Card, sums: IntegerSums) -> tuple[list[str], dict[str, str]]:
    """Variants to try, the preferred precision first, and why not the others.

    What a row calls unsuited is left out, unless there is nothing else: slow is better than no answer.
    """
    rank = {precision: number for number, precision in enumerate(row.precisions)}
    rest: dict[str, str] = {}
    for name, variant in card.variants.items():
        if variant.format != row.format:
            continue  # not a file that this row could read
        if variant.precision not in rank:
            rest[name] = row.unsuited.get(variant.precision, f"{row.id} takes no {variant.precision}")
        elif row.id == "cpu" and variant.cpus and sums not in variant.cpus:
            rest[name] = f"its sums are exact on {', '.join(variant.cpus)}; this CPU is {sums}, where they may overflow"
    suited = sorted(
        (name for name, variant in card.variants.items() if name not in rest and variant.format == row.format),
        key=lambda name: rank[card.variants[name].precision],
    )
    if not suited and row.id == "cpu":
        return list(rest), {}
    return suited, rest


def _expand(row: Row, device: str, variant: str, card: Card, report: HardwareReport) -> Iterator[Candidate]:
    facts = card.variants[variant]
    # An accelerator's own threads are not ours to choose; what is left to the CPU at its edges needs one.
    counts = thread_counts(report.cpu.threads) if device == "CPU" else [1]
    for threads in counts:
        yield Candidate(row.engine, row.id, device, variant, threads)
    if row.id == "cpu":  # an engine in a process of its own takes one frame at a time
        for threads, runs in parallel_runs(report.cpu.threads):
            yield Candidate(row.engine, row.id, device, variant, threads, runs=runs)
    if (
        row.id == "cpu"
        and facts.activations == "u8"
        and not facts.reduce_range  # such weights cannot overflow
        and report.cpu.sums == "x86-avx2"
    ):
        yield Candidate(row.engine, row.id, device, variant, counts[-1], {"session.x64quantprecision": "1"})
    has_fp16 = any(other.precision == "fp16" for other in card.variants.values())
    if row.id == "openvino" and device == "GPU" and facts.precision == "fp32" and not has_fp16:
        yield Candidate(row.engine, row.id, device, variant, 1, {"INFERENCE_PRECISION_HINT": "f16"})
    if row.id == "tensorrt" and facts.precision == "fp32" and not has_fp16:
        yield Candidate(row.engine, row.id, device, variant, 1, {"trt_fp16_enable": "True"})


def thread_counts(available: int) -> list[int]:
    """1 and all; above 4 also half of them (on hyper-threads that is one a core)."""
    counts = {1, available, *([available // 2] if available > 4 else [])}
    return sorted(counts)


def parallel_runs(available: int) -> list[tuple[int, int]]:
    """(threads of a run, runs at a time) that keep all CPUs busy: one thread each; above 4 CPUs also two each."""
    if available < 2:
        return []
    return [(1, available), *([(2, available // 2)] if available > 4 else [])]
