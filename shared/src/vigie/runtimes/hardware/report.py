"""The hardware report: a frozen value that says what is here, what of it can be used, and what is missing."""

from __future__ import annotations

from typing import Literal

import msgspec

IntegerSums = Literal["x86-avx2", "x86-vnni", "arm64"]


class Cpu(msgspec.Struct, frozen=True):
    """``flags``: those that matter for inference. ``integers``: the best 8-bit dot product it has, ``none`` if none.

    ``cores``: physical; ``logical``: what the kernel lists; ``affinity``: what this process may use;
    ``quota``: CPUs that the cgroup allows, ``None`` if unlimited; ``threads``: what follows from both.
    ``emulated_on``: the processor that the kernel shows where it is of another architecture than ``machine``: then
    programs run under an emulator, flags are not known and speed says nothing. Empty otherwise.
    """

    machine: str
    vendor: str
    model: str
    flags: tuple[str, ...]
    integers: str
    cores: int
    logical: int
    affinity: int
    quota: float | None
    threads: int
    microcode: str
    governor: str
    emulated_on: str = ""

    @property
    def sums(self) -> IntegerSums:
        """How it adds products of 8 bits: without VNNI x86 adds two of them in 16 bits, which may overflow."""
        if self.machine in {"aarch64", "arm64"}:
            return "arm64"
        return "x86-avx2" if self.integers == "none" else "x86-vnni"


class Memory(msgspec.Struct, frozen=True):
    """Bytes; ``limit_bytes``: the cgroup's, ``None`` if unlimited."""

    total_bytes: int
    available_bytes: int
    limit_bytes: int | None


class Device(msgspec.Struct, frozen=True):
    """A GPU, NPU or DSP. ``id``: its class (``gpu-intel``). ``node``: what a process opens.

    ``why_not`` and ``remedy``: sentences, empty if it is usable. ``facts``: versions and models, as the system tells.
    """

    id: str
    name: str
    node: str
    driver: str
    usable: bool
    why_not: str
    remedy: str
    facts: dict[str, str] = {}


class Sensor(msgspec.Struct, frozen=True):
    """An energy or thermal sensor. ``domain``: what it measures (``package``, ``board``, ``cpu-thermal``)."""

    kind: str
    domain: str
    path: str
    usable: bool
    why_not: str = ""
    remedy: str = ""


class Installed(msgspec.Struct, frozen=True):
    """A runtime package. ``plugin``: its plugin library, if it has one."""

    name: str
    version: str
    plugin: str = ""


class EpDevice(msgspec.Struct, frozen=True):
    """What a runtime itself says it could use."""

    runtime: str
    provider: str
    device: str
    vendor: str
    name: str = ""


class RuntimeAnswers(msgspec.Struct, frozen=True):
    """The runtimes' own answers. ``failed``: runtime or plugin provider -> why it gave none, in one line.

    ``late``: those of ``failed`` that gave none in time, which a busy machine explains as well as a driver that hangs.
    """

    devices: tuple[EpDevice, ...] = ()
    failed: dict[str, str] = {}
    late: tuple[str, ...] = ()

    def broken(self, name: str) -> str | None:
        """Why this runtime or plugin does not load here; ``None`` if it does, or was not asked, or was only late."""
        return None if name in self.late else self.failed.get(name)


class OwnImage(msgspec.Struct, frozen=True):
    """The image of Vigie that this is: ``name`` (``vigie-inference``), release, hardware key (``arm64v8-qnn``)."""

    name: str
    version: str
    key: str


class HardwareReport(msgspec.Struct, frozen=True):
    """All of it. ``board``: the maker's name for the machine. ``libraries``: those found, of the ones that matter.

    ``image``: ``None`` outside Vigie's images.
    """

    board: str
    kernel: str
    system: str
    glibc: str
    in_container: bool
    cpu: Cpu
    memory: Memory
    devices: tuple[Device, ...]
    energy: tuple[Sensor, ...]
    thermal: tuple[Sensor, ...]
    libraries: dict[str, str]
    power_mode: str
    packages: tuple[Installed, ...] = ()
    asked: RuntimeAnswers | None = None
    image: OwnImage | None = None

    def device(self, *ids: str) -> Device | None:
        """The first usable device of these classes; if none is usable, the first that is present."""
        found = [device for device in self.devices if device.id in ids]
        return next((device for device in found if device.usable), found[0] if found else None)

    def package(self, name: str) -> Installed | None:
        return next((package for package in self.packages if package.name == name), None)

    def fingerprint_facts(self) -> dict[str, str]:
        """What a decision about this machine depends on: if one of these changes, it has to be measured again."""
        facts = {
            "board": self.board,
            "kernel": self.kernel,
            "cpu": self.cpu.model,
            "cpu.flags": " ".join(self.cpu.flags),
            "cpu.microcode": self.cpu.microcode,
            "cpu.affinity": str(self.cpu.affinity),
            "cpu.quota": "none" if self.cpu.quota is None else f"{self.cpu.quota:g}",
            "power_mode": self.power_mode,
        }
        for number, device in enumerate(self.devices):
            usable = "usable" if device.usable else "unusable"
            known = ",".join(f"{key}={device.facts[key]}" for key in sorted(device.facts))
            facts[f"device.{number}"] = f"{device.id} {device.name} {device.driver} {device.node} {usable} {known}"
        if self.cpu.emulated_on:
            facts["cpu.emulated_on"] = self.cpu.emulated_on
        facts |= {f"package.{package.name}": package.version for package in self.packages}
        return facts
