"""What this machine can judge: the kind of its CPU, and for which targets a time measured here means anything."""

from __future__ import annotations

from dataclasses import dataclass

from vigie.runtimes import probe
from vigie_devkit.quantize.recipes import Cpu, Target


@dataclass(frozen=True, slots=True)
class Machine:
    """``kind``: of the CPU as cards name it. ``local``: the target that is this CPU. ``threads``: that it may use."""

    model: str
    kind: Cpu
    local: Target
    threads: int

    def __str__(self) -> str:
        return f"{self.model} ({self.kind}, {self.threads} threads)"


def this_machine() -> Machine:
    cpu = probe().cpu
    local: Target = "cpu-arm" if cpu.sums == "arm64" else "cpu-x86"
    return Machine(cpu.model or cpu.machine, cpu.sums, local, cpu.threads)
