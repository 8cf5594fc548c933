"""The hardware report in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vigie.runtimes.hardware.report import Device, HardwareReport, Sensor

_INTEGERS = {
    "none": "no 8-bit dot product (VNNI): U8S8 may saturate",
    "asimddp": "8-bit dot product (asimddp)",
}


def report_lines(report: HardwareReport) -> Iterator[str]:
    """``label  facts`` lines; what cannot be used is followed by why and by what to do."""
    place = "in a container" if report.in_container else "not in a container"
    board = report.board or "unknown machine"
    yield _line("machine", f"{board}, {report.cpu.machine}, {report.system or 'unknown system'}, {place}")
    yield _line("kernel", f"{report.kernel}, glibc {report.glibc or 'unknown'}")
    yield from _cpu_lines(report)
    memory = report.memory
    limit = "no limit" if memory.limit_bytes is None else f"limit {_gib(memory.limit_bytes)}"
    yield _line("memory", f"{_gib(memory.total_bytes)}, {_gib(memory.available_bytes)} available, {limit}")
    if report.power_mode:
        yield _line("power", report.power_mode)
    yield from _device_lines(report.devices)
    yield from _sensor_lines("energy", report.energy, "no sensor: energy per inference is unavailable")
    yield from _sensor_lines("thermal", report.thermal, "no sensor")
    packages = [f"{package.name} {package.version}" for package in report.packages]
    yield _line("packages", ", ".join(packages) or "no runtime is installed")
    yield from _asked_lines(report)


def _cpu_lines(report: HardwareReport) -> Iterator[str]:
    cpu = report.cpu
    flags = " ".join(cpu.flags) or "no vector unit that matters"
    if cpu.emulated_on:
        flags = f"the processor is {cpu.emulated_on}: speed says nothing"
    yield _line("cpu", f"{cpu.model}, {cpu.cores} cores, {cpu.logical} logical; {flags}")
    quota = "no quota" if cpu.quota is None else f"quota of {cpu.quota:g} CPUs"
    yield _line("", f"{cpu.threads} threads to use: affinity {cpu.affinity}, {quota}")
    if not cpu.emulated_on:
        yield _line("", _INTEGERS.get(cpu.integers, f"8-bit dot product ({cpu.integers})"))


def _device_lines(devices: Sequence[Device]) -> Iterator[str]:
    if not devices:
        yield _line("devices", "no GPU, NPU or DSP")
    for number, device in enumerate(devices):
        facts = "".join(f", {name} {value}" for name, value in device.facts.items())
        state = "usable" if device.usable else f"not usable: {device.why_not}"
        yield _line("devices" if number == 0 else "", f"{device.name} ({device.id}{facts}): {state}")
        if device.remedy:
            yield _line("", f"  -> {device.remedy}")


def _sensor_lines(label: str, sensors: Sequence[Sensor], none: str) -> Iterator[str]:
    usable = [f"{sensor.domain} ({sensor.kind})" for sensor in sensors if sensor.usable]
    shut = [sensor for sensor in sensors if not sensor.usable]
    if usable or not shut:
        yield _line(label, ", ".join(usable) or none)
    for number, sensor in enumerate(shut):
        yield _line("" if usable or number else label, f"{sensor.domain} ({sensor.kind}) not usable: {sensor.why_not}")
        if sensor.remedy:
            yield _line("", f"  -> {sensor.remedy}")


def _asked_lines(report: HardwareReport) -> Iterator[str]:
    if report.asked is None:
        return
    seen = []
    for device in report.asked.devices:
        where = f" on {device.device}" if device.device else ""
        seen.append(f"{device.provider}{where}" + (f" ({device.name})" if device.name else ""))
    yield _line("runtimes see", "; ".join(seen) or "nothing")
    for name, reason in report.asked.failed.items():
        yield _line("", f"{name} failed: {reason}")


def _line(label: str, text: str) -> str:
    return f"{label:13} {text}"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
