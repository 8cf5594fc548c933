"""LiteRT as an engine: .tflite files on the CPU, by XNNPACK's kernels. Source: ai.google.dev/edge/litert (Python)."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Adapter, Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import EngineSettings
from vigie.runtimes.engines.onnxruntime_session import find_row
from vigie.runtimes.engines.tensor_adapter import ForeignTensor, TensorAdapter
from vigie.runtimes.proof import Proof
from vigie.runtimes.providers import check_options
from vigie.runtimes.runtime_libraries import first_line, import_litert
from vigie.runtimes.signature import check_tensor

ENGINE = "litert"
_PROVIDER = "LiteRT:CPU"
_DELEGATE = "DELEGATE"


class LiteRtEngine:
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, interpreter: Any, card: Card, adapter: Adapter, candidate: Candidate, precision: str) -> None:
        self._interpreter = interpreter
        self._precision = precision
        self._model = f"{card.name}/{candidate.variant}"
        self.candidate = candidate
        self.variant = candidate.variant
        self.threads = candidate.threads
        self.provider = _PROVIDER
        self.input_shape = (1, card.input.height, card.input.width, 3)
        (source,) = interpreter.get_input_details()
        self._source = int(source["index"])
        self._found = [int(one["index"]) for one in interpreter.get_output_details()]
        self._adapter = TensorAdapter(
            card, adapter, self._model, _foreign(source), [_foreign(one) for one in interpreter.get_output_details()]
        )

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        check_tensor(tensor_hwc, self.input_shape[1:])
        try:
            self._interpreter.set_tensor(self._source, self._adapter.into(tensor_hwc))
            self._interpreter.invoke()
            return self._adapter.out_of([self._interpreter.get_tensor(index) for index in self._found])
        except (RuntimeError, ValueError) as error:
            raise EngineError(self._model, f"the run failed: {first_line(error)}") from error

    def placement(self) -> dict[str, int]:
        kernels = _kernels(self._interpreter)
        return {self.provider: len(kernels)} if kernels else {}

    def prove(self) -> Proof:
        kernels = _kernels(self._interpreter)
        taken = sum(name == _DELEGATE for name in kernels)
        left = sorted({name for name in kernels if name != _DELEGATE})
        integer = _number_types(self._interpreter).integer_activations
        asked, placed = self.candidate.key, self.placement()
        own = f"; LiteRT's own kernels: {', '.join(left)[:200]}" if left else ""
        if self.candidate.options.get("xnnpack") != "0" and not taken:
            reason = "XNNPACK took no part of the graph; LiteRT's own kernels run it"
            return Proof("partial", asked, placed, 1.0, integer, reason, "export it with types that XNNPACK has")
        if self._precision == "int8" and not integer:
            reason = "int8 was asked for, and no tensor of the file holds 8-bit integers"
            return Proof("partial", asked, placed, 1.0, integer, reason, "export it with full integer quantization")
        return Proof("full", asked, placed, 1.0, integer, f"XNNPACK runs {taken} parts of the graph{own}", "")

    def close(self) -> None:
        self._interpreter = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NumberTypes(msgspec.Struct, frozen=True):
    """``integer_activations``: tensors in 8 bits that are computed, as full integer quantization leaves them."""

    integer_activations: int
    half_weights: int


def open_litert(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> LiteRtEngine:
    """See ``open_engine``."""
    del settings  # neither spinning nor compiled models here
    variant = bundle.variant(candidate.variant)
    model = f"{bundle.card.name}/{variant.name}"
    check_options(find_row(model, candidate), candidate.options)
    if variant.card.format != "tflite" or variant.card.adapter is None:
        raise EngineError(
            model, "is not a .tflite variant with an adapter in the card", "./vigie models attach adds one"
        )
    own_kernels = candidate.options.get("xnnpack") == "0"
    interpreter = _interpreter(variant.read().graph, candidate.threads, model, own_kernels=own_kernels)
    inputs = len(interpreter.get_input_details())
    if inputs != 1:
        raise EngineError(model, f"takes {inputs} inputs, one picture is fed")
    return LiteRtEngine(interpreter, bundle.card, variant.card.adapter, candidate, variant.precision)


def foreign_tensors(content: bytes, *, name: str) -> tuple[list[ForeignTensor], list[ForeignTensor]]:
    """Inputs and outputs of a .tflite file. Raises: EngineError: LiteRT refuses it. ProviderError: not installed."""
    interpreter = _interpreter(content, 1, name)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return [_foreign(one) for one in inputs], [_foreign(one) for one in outputs]


def number_types(content: bytes, *, name: str) -> NumberTypes:
    """What a .tflite file computes in. Raises: as ``foreign_tensors``."""
    return _number_types(_interpreter(content, 1, name))


def _interpreter(content: bytes, threads: int, model: str, *, own_kernels: bool = False) -> Any:
    try:
        litert = import_litert()
    except ImportError as error:
        raise ProviderError(
            model, "ai-edge-litert is not installed here", "install ai-edge-litert (vigie[litert])"
        ) from error
    kinds = litert.OpResolverType
    try:
        interpreter = litert.Interpreter(
            model_content=content,
            num_threads=threads,
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if own_kernels else kinds.AUTO,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise EngineError(model, f"LiteRT refuses it: {first_line(error)}") from error
    return interpreter


def _number_types(interpreter: Any) -> NumberTypes:
    written = {int(tensor) for one in getattr(interpreter, "_get_ops_details", list)() for tensor in one["outputs"]}
    integer = half = 0
    for one in interpreter.get_tensor_details():
        kind = np.dtype(one["dtype"])
        if kind in (np.int8, np.uint8) and int(one["index"]) in written:
            integer += 1
        half += kind == np.float16 and int(one["index"]) not in written
    return NumberTypes(integer, half)


def _foreign(detail: dict[str, Any]) -> ForeignTensor:
    scale, zero = detail["quantization"]
    return ForeignTensor(
        str(detail["name"]),
        tuple(int(side) for side in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scale),
        int(zero),
    )


def _kernels(interpreter: Any) -> list[str]:
    """Operators that are executed; a delegate stands for the part of the graph that it took.

    LiteRT lists the delegates beside the operators that they replaced, so the list is walked from the outputs back: who
    writes a tensor is the delegate, where there is one. The list is an internal member; without it nothing is told.
    """
    details = getattr(interpreter, "_get_ops_details", None)
    if details is None:
        return []
    writers: dict[int, dict[str, Any]] = {}
    for one in details():
        for tensor in one["outputs"]:
            if one["op_name"] == _DELEGATE or int(tensor) not in writers:
                writers[int(tensor)] = one
    wanted = [int(one["index"]) for one in interpreter.get_output_details()]
    executed: dict[int, str] = {}
    while wanted:
        writer = writers.get(wanted.pop())
        if writer is not None and int(writer["index"]) not in executed:
            executed[int(writer["index"])] = str(writer["op_name"])
            wanted += [int(tensor) for tensor in writer["inputs"]]
    return list(executed.values())
