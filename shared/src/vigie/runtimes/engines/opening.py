"""Opens a candidate as it serves: in this process where that is safe and fastest, in one of its own everywhere else."""

from __future__ import annotations

from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import Engine, EngineSettings, open_engine
from vigie.runtimes.engines.isolated_engine import LOAD_LIMIT_S, IsolatedEngine


def is_safe(candidate: Candidate) -> bool:
    """ONNX Runtime's own CPU kernels: no driver that could take the process with it, no reason to pay for two."""
    return candidate.engine == "onnxruntime" and candidate.provider == "cpu"


def open_to_serve(
    bundle: Bundle,
    candidate: Candidate,
    settings: EngineSettings | None = None,
    *,
    load_limit_s: float = LOAD_LIMIT_S,
    nice: int = 0,
    isolate: bool = False,
) -> Engine:
    """As the module serves it, and therefore as it is measured.

    ``isolate``: in a process of its own, also what is safe: a model that never ends can only be ended there.
    Raises: BundleError, ProviderError, EngineError; EngineDiedError, EngineHungError for one in a process of its own.
    """
    if is_safe(candidate) and not isolate:
        return open_engine(bundle, candidate, settings=settings)
    return IsolatedEngine.open(bundle, candidate, settings or EngineSettings(), load_limit_s=load_limit_s, nice=nice)
