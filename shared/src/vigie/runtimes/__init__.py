"""Runtimes: how many threads, which engine, and what really ran. Only this package imports onnxruntime and openvino."""

from __future__ import annotations

from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.choosing.candidates import Rejected, candidates
from vigie.runtimes.engines.engine import CPU, Engine, EngineSettings, open_engine
from vigie.runtimes.hardware import HardwareReport, probe
from vigie.runtimes.proof import Proof

__all__ = [
    "CPU",
    "Candidate",
    "Engine",
    "EngineSettings",
    "HardwareReport",
    "Proof",
    "Rejected",
    "candidates",
    "cpu_candidate",
    "open_engine",
    "probe",
]
