"""An engine that goes wrong on command: ONNX Runtime's CPU engine under another name, plugged in by ``VIGIE_ENGINES``.

The file that ``VIGIE_FAULTS_ENGINE`` names says what it does from the next run on: ``crash``, ``hang`` or ``lie``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from vigie.closable import Closable
from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.engines.engine import EngineSettings, open_engine
from vigie.runtimes.proof import Proof

COMMAND = "VIGIE_FAULTS_ENGINE"


class BadEngine(Closable):
    """Right until the command says otherwise."""

    def __init__(self, bundle: Bundle, candidate: Candidate, _settings: EngineSettings) -> None:
        self.candidate = candidate
        self.variant, self.threads = candidate.variant, candidate.threads
        self.provider = "Bad"
        self._engine = open_engine(bundle, cpu_candidate(candidate.variant, 1))
        self.input_shape = self._engine.input_shape
        self._command = Path(os.environ[COMMAND])

    def run(self, tensor_hwc: Any) -> list[Any]:
        outputs = self._engine.run(tensor_hwc)
        try:
            command = self._command.read_text(encoding="ascii").strip()
        except OSError:
            return outputs
        if command == "crash":
            os.write(1, b"driver: assertion failed in queue 3\n")
            os.kill(os.getpid(), signal.SIGSEGV)
        if command == "hang":
            time.sleep(3600)
        if command == "lie":
            # Numbers as an engine gives them, of another picture: finite, and wrong.
            return [np.ascontiguousarray(np.roll(output, output.shape[-1] // 2 + 1)) for output in outputs]
        return outputs

    def placement(self) -> dict[str, int]:
        return {"Bad": 1}

    def prove(self) -> Proof:
        return Proof("full", self.candidate.key, {"Bad": 1}, 0.0, None, "it says so", "")

    def close(self) -> None:
        self._engine.close()
