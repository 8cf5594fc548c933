"""Engines that go wrong on purpose, for the extension point: ``VIGIE_ENGINES=<name>=<this file>:<function>``.

Each wraps ONNX Runtime's CPU engine, so it is right until it goes wrong. Files named in the environment decide when, so
that a test can let an engine pass its measurements and fail in service: ``BAD_ENGINE_NOW`` names a file that need not
exist; while it does, engines called ``*_later`` misbehave.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Self

import numpy as np

from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.engines.engine import open_engine
from vigie.runtimes.proof import Proof

MARKER = "BAD_ENGINE_NOW"


class Wrapped:
    """The CPU engine under another name."""

    def __init__(self, bundle: Any, candidate: Any, _settings: Any) -> None:
        self.candidate = candidate
        self.variant, self.threads = candidate.variant, candidate.threads
        self.provider = f"Bad:{candidate.engine}"
        self._engine = open_engine(bundle, cpu_candidate(candidate.variant, 1))
        self.input_shape = self._engine.input_shape

    def run(self, tensor_hwc: Any) -> list[Any]:
        return self.spoil(self._engine.run(tensor_hwc))

    def spoil(self, outputs: list[Any]) -> list[Any]:
        return outputs

    def placement(self) -> dict[str, int]:
        return {"Bad": 1}

    def prove(self) -> Proof:
        return Proof("full", self.candidate.key, {"Bad": 1}, 0.0, None, "it says so", "")

    def close(self) -> None:
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def misbehaves_now() -> bool:
    marker = os.environ.get(MARKER)
    return bool(marker) and Path(marker).exists()


class Crashing(Wrapped):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        print("driver: assertion failed in queue 3", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
        return outputs


class Hanging(Wrapped):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        time.sleep(3600)
        return outputs


class Lying(Wrapped):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        rng = np.random.default_rng(1)
        return [rng.random(output.shape).astype(output.dtype) for output in outputs]


class Slow(Wrapped):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        time.sleep(0.15)
        return outputs


class Nan(Wrapped):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        return [np.full(output.shape, np.nan, output.dtype) for output in outputs]


class CrashingLater(Crashing):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        return super().spoil(outputs) if misbehaves_now() else outputs


class HangingLater(Hanging):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        return super().spoil(outputs) if misbehaves_now() else outputs


class LyingLater(Lying):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        return super().spoil(outputs) if misbehaves_now() else outputs


class NanLater(Nan):
    def spoil(self, outputs: list[Any]) -> list[Any]:
        return super().spoil(outputs) if misbehaves_now() else outputs


class Refusing(Wrapped):
    def __init__(self, bundle: Any, candidate: Any, settings: Any) -> None:
        from vigie.errors import ProviderError

        raise ProviderError(f"{bundle.card.name}/{candidate.key}", "libbad.so.3 is missing; install bad-driver 3")


def variable(*names: str) -> str:
    """The value of VIGIE_ENGINES that plugs these in: ``variable("crashing", "slow")``."""
    classes = {name: "".join(part.capitalize() for part in name.split("_")) for name in names}
    return ",".join(f"{name}={Path(__file__).resolve()}:{cls}" for name, cls in classes.items())
