"""What a check of the serving engine holds afterwards: the reference is megabytes, read again every few minutes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.checkout import ROOT
from vigie.runtimes.engines import freed_memory

# In a process of its own: what others of this one have taught its allocator would decide the result.
CHECKS = """
import sys, threading
from pathlib import Path

from vigie.metrics import Metrics
from vigie.models.trust import TrustPolicy
from vigie.runtimes import open_engine
from vigie.runtimes.engines.freed_memory import give_back_freed_memory
from vigie_inference.canary import Canary
from vigie_inference.config import InferenceConfig, ModelConfig
from vigie_inference.load import Load
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import LoadedBundle, ServingModel

def anonymous_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

loaded = LoadedBundle.load(ModelConfig(path=sys.argv[1]), TrustPolicy(Path("/nowhere/trust.json")))
models, metrics = ModelsInService(), Metrics()
models.replace(ServingModel(loaded, open_engine(loaded.bundle)), InferenceConfig())
now = [0.0]
canary = Canary(models, Load(), metrics, clock=lambda: now[0])

def look():
    for now[0] in (0.0, 61.0, 122.0, 183.0):
        canary.look(1.0)

thread = threading.Thread(target=look)
thread.start()
thread.join()
held = anonymous_mb()
give_back_freed_memory()
print(metrics.values()['vigie_canary_checks_total{result="agrees"}'], held - anonymous_mb())
"""


@pytest.mark.skipif(freed_memory._malloc_trim() is None, reason="this C library has no malloc_trim")
def test_a_check_gives_back_what_the_reference_took() -> None:
    """Without giving back, 6 MB of the shipped detector's reference stay for good."""
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(ROOT / "shared/models/conveyor-parts")],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    checks, freed_mb = done.stdout.splitlines()[-1].split()
    assert float(checks) == 3
    assert float(freed_mb) < 2.0
