"""Run by the Python that has an engine: open a bundle on it as the module would, and print what happened as JSON.

python engine_trial.py run|kill|hang BUNDLE PROVIDER DEVICE [VARIANT]
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from vigie.errors import EngineDiedError, EngineHungError, VigieError
from vigie.models import Bundle, load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes import Candidate, EngineSettings, open_engine
from vigie.runtimes.engines.isolated_engine import IsolatedEngine
from vigie.runtimes.runtime_libraries import import_onnxruntime


def main(what: str, folder: str, provider: str, device: str, variant: str = "fp32") -> dict[str, Any]:
    bundle = load_bundle(Path(folder))
    candidate = Candidate("onnxruntime", provider, device, variant, 1)
    try:
        return run(bundle, candidate) if what == "run" else broken(bundle, candidate, what)
    except VigieError as error:
        return {"error": type(error).__name__, "text": str(error)}


def run(bundle: Bundle, candidate: Candidate) -> dict[str, Any]:
    """In this process: numbers against the reference, twice, and the proof."""
    reference = read_reference(bundle)[0]
    with open_engine(bundle, candidate, settings=EngineSettings()) as engine:
        answers = [[output.copy() for output in engine.run(reference.tensor_hwc)] for _ in range(2)]
        apart = max(
            float(np.abs(one - other).max())
            for answer in answers
            for one, other in zip(answer, reference.outputs, strict=True)
        )
        proof = engine.prove()
        return {
            "version": import_onnxruntime().__version__,
            "provider": engine.provider,
            "apart": apart,
            "span": max(float(np.abs(output).max()) for output in reference.outputs),
            "verdict": proof.verdict,
            "reason": proof.reason,
            "placed": proof.placed,
            "integer_kernels": proof.integer_kernels,
        }


def broken(bundle: Bundle, candidate: Candidate, what: str) -> dict[str, Any]:
    """In a process of its own, as it serves: killed under way, or given no time."""
    reference = read_reference(bundle)[0]
    engine = IsolatedEngine.open(bundle, candidate, EngineSettings())
    try:
        if what == "kill":
            os.kill(engine.pid, signal.SIGKILL)
        else:
            engine.run_limit_s = 0.001  # a software GPU needs a hundred times that
        engine.run(reference.tensor_hwc)
    except (EngineDiedError, EngineHungError) as error:
        return {"error": type(error).__name__, "text": str(error), "alive": alive(engine.pid)}
    finally:
        engine.close()
    return {"error": "", "text": "the run succeeded", "alive": True}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
