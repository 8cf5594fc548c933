"""The ONNX Runtime engine: any of its providers, no silent fall-back, buffers once a thread, one input copy a run."""

from __future__ import annotations

import threading
from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.compiled import compiled_model
from vigie.runtimes.engines.engine import CardEngine, EngineSettings
from vigie.runtimes.engines.freed_memory import give_back_freed_memory
from vigie.runtimes.engines.onnxruntime_proof import profile_runs
from vigie.runtimes.engines.onnxruntime_session import SessionPlan, open_session, plan_session
from vigie.runtimes.engines.proof_rules import judge
from vigie.runtimes.proof import Proof
from vigie.runtimes.runtime_libraries import first_line, import_onnxruntime
from vigie.runtimes.signature import check_signature, check_tensor


class _Buffers:
    """What one thread's runs read and write. On the CPU an OrtValue made from a NumPy array shares its memory."""

    def __init__(
        self, session: Any, runtime: ModuleType, input_name: str, shape: tuple[int, ...], *, any_size: bool
    ) -> None:
        self.input = np.zeros(shape, np.uint8)
        self.binding = session.io_binding()
        self._values = [runtime.OrtValue.ortvalue_from_numpy(self.input)]
        self.binding.bind_ortvalue_input(input_name, self._values[0])
        self.outputs: list[NDArray[Any]] = []
        self.open_names = [output.name for output in session.get_outputs()] if any_size else []
        if not any_size:
            for output in session.get_outputs():
                self.outputs.append(np.zeros(tuple(output.shape), _numpy_type(output.type)))
                self._values.append(runtime.OrtValue.ortvalue_from_numpy(self.outputs[-1]))
                self.binding.bind_ortvalue_output(output.name, self._values[-1])


class OnnxRuntimeEngine(CardEngine):
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, session: Any, runtime: ModuleType, card: Card, plan: SessionPlan) -> None:
        super().__init__(card, plan.candidate, session.get_providers()[0])
        self._session = session
        self._runtime = runtime
        self._plan = plan
        self._input_name = card.input.name
        self._any_size = any(-1 in output.shape for output in card.outputs)
        # A session may run in several threads at a time; what it reads and writes is each thread's own.
        self._buffers = threading.local()
        self._of_this_thread()

    def _of_this_thread(self) -> _Buffers:
        found: _Buffers | None = getattr(self._buffers, "of_thread", None)
        if found is None:
            found = _Buffers(self._session, self._runtime, self._input_name, self.input_shape, any_size=self._any_size)
            self._buffers.of_thread = found
        return found

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        check_tensor(tensor_hwc, self.input_shape[1:])
        buffers = self._of_this_thread()
        # 0.5 MB at 416: 20 us, against binding the caller's memory anew for each frame.
        buffers.input[0] = tensor_hwc
        try:
            # Where the picture decides how many rows come, a former run's output must not be reused: bound anew.
            for name in buffers.open_names:
                buffers.binding.bind_output(name, "cpu")
            self._session.run_with_iobinding(buffers.binding)
        except Exception as error:  # ONNX Runtime's own classes share no base
            raise EngineError(self._model, f"the run failed: {first_line(error)}") from error
        return list(buffers.binding.copy_outputs_to_cpu()) if buffers.open_names else buffers.outputs

    def placement(self) -> dict[str, int]:
        return {provider: ops.total() for provider, ops in assigned_operators(self._session).items()}

    def prove(self) -> Proof:
        profile = profile_runs(self._runtime, self._plan, np.zeros(self.input_shape, np.uint8))
        return judge(
            asked=self.candidate.key,
            provider=self._plan.row.ep,
            precision=self._plan.variant.precision,
            emulated=self._plan.emulated,
            assigned=assigned_operators(self._session),
            profile=profile,
        )

    def close(self) -> None:
        self._session = None
        self._buffers = threading.local()
        give_back_freed_memory()


def open_onnxruntime(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> OnnxRuntimeEngine:
    """See ``open_engine``."""
    runtime = import_onnxruntime()
    plan = plan_session(runtime, bundle, candidate, settings)
    if settings.cache is not None and plan.row.context:
        plan = compiled_model(runtime, plan, settings.cache)
    session = open_session(runtime, plan)
    assigned = assigned_operators(session)
    if assigned and plan.row.ep not in assigned:
        took = ", ".join(f"{provider} {ops.total()}" for provider, ops in assigned.items())
        raise ProviderError(
            plan.model,
            f"{plan.row.ep} took none of its nodes ({took})",
            f"use another variant: {plan.row.id} prefers {', '.join(plan.row.precisions)}",
        )
    inputs = [(item.name, _numpy_type(item.type).name, _shape(item)) for item in session.get_inputs()]
    outputs = [(item.name, _numpy_type(item.type).name, _shape(item)) for item in session.get_outputs()]
    check_signature(bundle.card, plan.model, inputs, outputs)
    return OnnxRuntimeEngine(session, runtime, bundle.card, plan)


def assigned_operators(session: Any) -> dict[str, Counter[str]]:
    """Operators by provider, as the runtime partitioned the graph; empty where it does not tell (before 1.24)."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    found: dict[str, Counter[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        found.setdefault(str(part.ep_name), Counter()).update(node.op_type for node in part.get_nodes())
    return found


def _shape(item: Any) -> tuple[int, ...]:
    return tuple(side if isinstance(side, int) else -1 for side in item.shape)


def _numpy_type(ort_type: str) -> Any:
    names = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
    try:
        return np.dtype(names.get(ort_type, ort_type.removeprefix("tensor(").removesuffix(")")))
    except TypeError:  # strings, sequences: no card promises them, the signature check says so
        return np.dtype(object)
