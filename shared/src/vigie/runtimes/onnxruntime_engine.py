"""The ONNX Runtime engine: no silent fall-back, buffers allocated once, one input copy a run."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ImageShapeError, ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engine import EngineSettings
from vigie.runtimes.proof import Proof

_RECORD_ASSIGNMENT = "session.record_ep_graph_assignment_info"


class OnnxRuntimeEngine:
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, session: Any, runtime: ModuleType, card: Card, candidate: Candidate) -> None:
        self._session = session
        self._model = f"{card.name}/{candidate.variant}"
        self.candidate = candidate
        self.variant = candidate.variant
        self.threads = candidate.threads
        self.provider: str = session.get_providers()[0]
        self.input_shape = (1, card.input.height, card.input.width, 3)
        # On the CPU an OrtValue made from a NumPy array shares its memory: the graph reads and writes these buffers.
        self._input = np.zeros(self.input_shape, np.uint8)
        self._binding = session.io_binding()
        self._values = [runtime.OrtValue.ortvalue_from_numpy(self._input)]
        self._binding.bind_ortvalue_input(card.input.name, self._values[0])
        self._outputs: list[NDArray[Any]] = []
        self._open_names: list[str] = []
        if any(-1 in output.shape for output in card.outputs):
            self._open_names = [output.name for output in session.get_outputs()]
        else:
            self._bind_outputs(runtime)

    def _bind_outputs(self, runtime: ModuleType) -> None:
        for output in self._session.get_outputs():
            self._outputs.append(np.zeros(tuple(output.shape), _numpy_type(output.type)))
            self._values.append(runtime.OrtValue.ortvalue_from_numpy(self._outputs[-1]))
            self._binding.bind_ortvalue_output(output.name, self._values[-1])

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        if tensor_hwc.shape != self.input_shape[1:] or tensor_hwc.dtype != np.uint8:
            expected, got = f"{self.input_shape[1:]} uint8", f"{tensor_hwc.shape} {tensor_hwc.dtype}"
            raise ImageShapeError("tensor", expected=expected, got=got)
        # 0.5 MB at 416: 20 us, against binding the caller's memory anew for each frame.
        self._input[0] = tensor_hwc
        try:
            # Where the picture decides how many rows come, a former run's output must not be reused: bound anew.
            for name in self._open_names:
                self._binding.bind_output(name, "cpu")
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # ONNX Runtime's own classes share no base
            raise EngineError(self._model, f"the run failed: {first_line(error)}") from error
        return list(self._binding.copy_outputs_to_cpu()) if self._open_names else self._outputs

    def placement(self) -> dict[str, int]:
        if not hasattr(self._session, "get_provider_graph_assignment_info"):
            return {}
        counted: Counter[str] = Counter()
        for part in self._session.get_provider_graph_assignment_info():
            counted[str(part.ep_name)] += len(part.get_nodes())
        return dict(counted)

    def prove(self) -> Proof:
        placed = self.placement()
        verdict = "full" if set(placed) == {self.provider} else "partial" if self.provider in placed else "none"
        return Proof(verdict, self.candidate.key, placed, None, None, "nodes as the runtime assigned them", "")  # type: ignore[arg-type]

    def close(self) -> None:
        self._binding = self._session = None
        self._values = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_onnxruntime(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> OnnxRuntimeEngine:
    """See ``open_engine``."""
    card, variant = bundle.card, bundle.variant(candidate.variant)
    model = f"{card.name}/{variant.name}"
    runtime = import_onnxruntime()
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(
        candidate.provider, candidate.provider
    )
    available = runtime.get_available_providers()
    if provider not in available:
        raise ProviderError(model, f"{provider} is not installed here; available: {', '.join(available)}")
    session = _open_session(runtime, model, variant.file, candidate.threads, provider, settings=settings)
    if session.get_providers()[0] != provider:
        raise ProviderError(model, f"{provider} was asked for, {session.get_providers()[0]} would run")
    _check_signature(session, card, model)
    return OnnxRuntimeEngine(session, runtime, card, candidate)


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime with its telemetry off; the variable is read at import, so it must be set before."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime  # type: ignore[no-any-return]  # onnxruntime ships no types


def first_line(error: BaseException) -> str:
    """The first line of a runtime's message, which may be pages long."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _open_session(
    runtime: ModuleType, model: str, file: Path, threads: int, provider: str, *, settings: EngineSettings
) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning between frames burns CPU that the other modules need; the objective says when it may.
    spin = "1" if settings.spin else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spin)
    options.add_session_config_entry("session.inter_op.allow_spinning", spin)
    options.add_session_config_entry(_RECORD_ASSIGNMENT, "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "specified provider is not available" comes as a warning only
            return runtime.InferenceSession(str(file), options, providers=[provider], enable_fallback=0)
    except UserWarning as warning:
        raise ProviderError(model, first_line(warning)) from warning
    except Exception as error:
        raise EngineError(model, f"ONNX Runtime refuses it: {first_line(error)}") from error


def _check_signature(session: Any, card: Card, model: str) -> None:
    inputs = [(item.name, item.type, tuple(item.shape)) for item in session.get_inputs()]
    wanted = [(card.input.name, "tensor(uint8)", (1, card.input.height, card.input.width, 3))]
    if inputs != wanted:
        raise EngineError(model, f"expected the input {wanted[0]}, the file has {inputs}; import it again")
    outputs = [
        (item.name, tuple(side if isinstance(side, int) else -1 for side in item.shape))
        for item in session.get_outputs()
    ]
    promised = [(output.name, output.shape) for output in card.outputs]
    if outputs != promised:
        raise EngineError(model, f"expected the outputs {promised}, the file has {outputs}; import it again")


def _numpy_type(ort_type: str) -> Any:
    names = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
    return np.dtype(names.get(ort_type, ort_type.removeprefix("tensor(").removesuffix(")")))
