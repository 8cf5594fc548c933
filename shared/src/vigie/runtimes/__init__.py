"""Runtimes: how many threads, which engine, and what really ran. Only this package imports onnxruntime."""

from __future__ import annotations

from vigie.runtimes.engine import CPU, Engine, open_engine

__all__ = ["CPU", "Engine", "open_engine"]
