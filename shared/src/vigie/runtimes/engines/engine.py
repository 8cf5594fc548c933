"""The seam between a module and whatever runs its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.errors import ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate, cpu_candidate
from vigie.runtimes.engines.plugged_in import engine_factory
from vigie.runtimes.proof import Proof
from vigie.runtimes.threads import threads_available

CPU = "CPUExecutionProvider"


class EngineSettings(msgspec.Struct, frozen=True):
    """How to open an engine, beyond what it is.

    ``spin``: threads burn CPU between runs to start the next one sooner (latency and throughput objectives).
    ``strict``: not a single node may run on the CPU when another provider was asked for.
    ``cache``: a writable folder for compiled models; ``None`` = compile at every start.
    ``objective``: sets the provider's performance mode.
    """

    spin: bool = False
    strict: bool = False
    cache: Path | None = None
    objective: Literal["latency", "throughput", "energy"] = "latency"


class Engine(Protocol):
    """A loaded candidate. Used by ``candidate.runs`` threads at a time.

    ``candidate``: exactly what was opened. ``provider``: the full name of what is in force
    (``CPUExecutionProvider``, ``QNNExecutionProvider``, ``OpenVINO:GPU``). ``threads``: of one run.
    ``input_shape``: (1, H, W, 3), uint8 BGR.
    """

    candidate: Candidate
    provider: str
    variant: str
    threads: int
    input_shape: tuple[int, int, int, int]

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Outputs of one run in graph order. They are the engine's own buffers: valid until the same
        thread's next ``run``.

        Args: tensor_hwc: (H, W, 3) uint8, read during the call only.
        Raises: ImageShapeError: another shape or dtype. EngineError: the runtime failed.
        """

    def placement(self) -> dict[str, int]:
        """Graph nodes per execution provider; empty where the runtime does not tell."""

    def prove(self) -> Proof:
        """Find out what really runs. Takes as long as loading the model once more; the engine stays usable.

        Raises: EngineError: the runtime failed meanwhile.
        """

    def close(self) -> None:
        """Free the model; ``run`` must not be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class CardEngine(Closable):
    """What an engine of a card's model tells of itself; see ``Engine``."""

    def __init__(self, card: Card, candidate: Candidate, provider: str) -> None:
        self._model = f"{card.name}/{candidate.variant}"
        self.candidate, self.variant, self.threads = candidate, candidate.variant, candidate.threads
        self.provider = provider
        self.input_shape = (1, card.input.height, card.input.width, 3)


def open_engine(
    bundle: Bundle,
    wanted: Candidate | str | None = None,
    *,
    threads: int | None = None,
    settings: EngineSettings | None = None,
) -> Engine:
    """Load a candidate of a verified bundle: exactly it, or an error says why; nothing falls back.

    Args: wanted: a candidate; or a variant's name (ONNX Runtime on the CPU); ``None`` = the card's first variant.
        threads: with a variant only; ``None`` = what affinity and CPU quota allow.
    Raises: BundleError: no such variant. ProviderError: no such engine, or it is not available here; with the remedy.
        EngineError: the runtime refuses the file, or it does not have the input that the card promises.
    """
    if isinstance(wanted, Candidate):
        candidate = wanted
    else:
        count = threads_available() if threads is None else max(1, threads)
        candidate = cpu_candidate(bundle.variant(wanted).name, count)
    variant = bundle.variant(candidate.variant)
    factory = engine_factory(candidate.engine)
    if factory is None:
        raise ProviderError(
            f"{bundle.card.name}/{variant.name}", f"no engine is called {candidate.engine!r}; see VIGIE_ENGINES"
        )
    engine: Engine = factory(bundle, candidate, settings or EngineSettings())
    return engine
