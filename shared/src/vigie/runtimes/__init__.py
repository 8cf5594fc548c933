"""Runtimes: how many threads, which engine, and what really ran. Only this package imports onnxruntime and openvino."""

from __future__ import annotations

from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.engine import CPU, Engine, EngineSettings, open_engine
from vigie.runtimes.proof import Proof

__all__ = ["CPU", "Candidate", "Engine", "EngineSettings", "Proof", "cpu_candidate", "open_engine"]
