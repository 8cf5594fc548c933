"""LiteRT as an engine: .tflite files on the CPU by XNNPACK's kernels, or by a vendor's delegate where one is named.

Source: ai.google.dev/edge/litert (Python).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Adapter, Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import CardEngine, EngineSettings
from vigie.runtimes.engines.litert_delegate import load_delegate
from vigie.runtimes.engines.litert_graph import Delegation, taken_by_delegates
from vigie.runtimes.engines.litert_numbers import NumberTypes, number_types_of
from vigie.runtimes.engines.onnxruntime_session import find_row
from vigie.runtimes.engines.tensor_adapter import ForeignTensor, TensorAdapter
from vigie.runtimes.proof import Proof
from vigie.runtimes.providers import check_options
from vigie.runtimes.runtime_libraries import first_line, import_litert
from vigie.runtimes.signature import check_tensor

ENGINE = "litert"
_PROVIDER = "LiteRT:CPU"
_DELEGATE_ROW = "litert-delegate"


class LiteRtEngine(CardEngine):
    """See ``vigie.runtimes.Engine``."""

    def __init__(
        self,
        interpreter: Any,
        card: Card,
        adapter: Adapter,
        candidate: Candidate,
        *,
        precision: str,
        delegated: Delegation | None,
    ) -> None:
        """``delegated``: what the candidate's delegate took; ``None``: it names none."""
        library = candidate.options.get("library", "")
        super().__init__(card, candidate, _PROVIDER if delegated is None else f"LiteRT:{Path(library).name}")
        self._interpreter = interpreter
        self._precision = precision
        self._delegated = delegated
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
        if self._delegated is not None:
            found = {self.provider: self._delegated.operators, _PROVIDER: len(self._delegated.left)}
            return {name: count for name, count in found.items() if count}
        taken = _taken(self._interpreter)
        return {self.provider: taken.parts + len(taken.left)} if taken.parts or taken.left else {}

    def prove(self) -> Proof:
        taken = self._delegated or _taken(self._interpreter)
        left = ", ".join(sorted(set(taken.left)))[:200]
        integer = _number_types(self._interpreter).integer_activations
        asked, placed = self.candidate.key, self.placement()
        if self._delegated is not None:
            return self._prove_delegate(self._delegated, left, integer)
        own = f"; LiteRT's own kernels: {left}" if left else ""
        if self.candidate.options.get("xnnpack") != "0" and not taken.parts:
            reason = "XNNPACK took no part of the graph; LiteRT's own kernels run it"
            return Proof("partial", asked, placed, 1.0, integer, reason, "export it with types that XNNPACK has")
        if self._precision == "int8" and not integer:
            reason = "only its weights are in 8 bits: activations are float, and so may be the kernels"
            return Proof("partial", asked, placed, 1.0, integer, reason, "export it with full integer quantization")
        return Proof("full", asked, placed, 1.0, integer, f"XNNPACK runs {taken.parts} parts of the graph{own}", "")

    def _prove_delegate(self, taken: Delegation, left: str, integer: int) -> Proof:
        """Of operators: a delegate does not tell its time. What it left, the CPU runs."""
        name = self.provider.partition(":")[2]
        asked, placed = self.candidate.key, self.placement()
        all_of_them = taken.operators + len(taken.left)
        reason = f"{name} took {taken.operators} of {all_of_them} operators, in {taken.parts} parts"
        if left:
            reason, remedy = f"{reason}; left to the CPU: {left}", "compile or export the file for this delegate"
            return Proof("partial", asked, placed, None, integer, reason, remedy)
        return Proof("full", asked, placed, None, integer, reason, "")

    def close(self) -> None:
        self._interpreter = None


def open_litert(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> LiteRtEngine:
    """See ``open_engine``."""
    del settings  # neither spinning nor compiled models here
    variant = bundle.variant(candidate.variant)
    model = f"{bundle.card.name}/{variant.name}"
    check_options(find_row(model, candidate), candidate.options)
    adapter = variant.card.adapter
    if variant.card.format != "tflite" or adapter is None:
        raise EngineError(
            model, "is not a .tflite variant with an adapter in the card", "./vigie models attach adds one"
        )
    own_kernels = candidate.options.get("xnnpack") == "0"
    wanted = candidate.options if candidate.provider == _DELEGATE_ROW else None
    interpreter, delegated = _interpreter(
        variant.read().graph, candidate.threads, model, own_kernels=own_kernels, delegate=wanted
    )
    inputs = len(interpreter.get_input_details())
    if inputs != 1:
        raise EngineError(model, f"takes {inputs} inputs, one picture is fed")
    return LiteRtEngine(interpreter, bundle.card, adapter, candidate, precision=variant.precision, delegated=delegated)


def foreign_tensors(content: bytes, *, name: str) -> tuple[list[ForeignTensor], list[ForeignTensor]]:
    """Inputs and outputs of a .tflite file. Raises: EngineError: LiteRT refuses it. ProviderError: not installed."""
    interpreter, _ = _interpreter(content, 1, name)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return [_foreign(one) for one in inputs], [_foreign(one) for one in outputs]


def number_types(content: bytes, *, name: str) -> NumberTypes:
    """What a .tflite file computes in. Raises: as ``foreign_tensors``."""
    interpreter, _ = _interpreter(content, 1, name)
    return _number_types(interpreter)


def _interpreter(
    content: bytes,
    threads: int,
    model: str,
    *,
    own_kernels: bool = False,
    delegate: Mapping[str, str] | None = None,
) -> tuple[Any, Delegation | None]:
    """LiteRT's interpreter, ready to run, and what the delegate took of the graph.

    Args: delegate: a candidate's options that name it.
    Raises: ProviderError: the delegate is refused, or took nothing. EngineError: the file is.
    """
    try:
        litert = import_litert()
    except ImportError as error:
        raise ProviderError(
            model, "ai-edge-litert is not installed here", "install ai-edge-litert (vigie[litert])"
        ) from error
    kinds = litert.OpResolverType
    loaded = [] if delegate is None else [load_delegate(litert, model, delegate)]
    delegated = None
    try:
        interpreter = litert.Interpreter(
            model_content=content,
            num_threads=threads,
            experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if own_kernels else kinds.AUTO,
            experimental_delegates=loaded or None,
        )
        if delegate is not None:
            delegated = _taken(interpreter)  # before XNNPACK, which comes with the allocation, takes what is left
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        with_it = "" if delegate is None else f" with delegate {delegate.get('library')}"
        raise EngineError(model, f"LiteRT refuses it{with_it}: {first_line(error)}") from error
    if delegated is not None and not delegated.operators:
        reason = (
            f"delegate {(delegate or {}).get('library')}: took no operator of the file; the CPU would run all of it"
        )
        raise ProviderError(model, reason, "compile or export the file for this delegate")
    return interpreter, delegated


def _number_types(interpreter: Any) -> NumberTypes:
    operators: list[dict[str, Any]] = getattr(interpreter, "_get_ops_details", list)()
    inputs = [int(one["index"]) for one in interpreter.get_input_details()]
    return number_types_of(interpreter.get_tensor_details(), operators, inputs)


def _foreign(detail: dict[str, Any]) -> ForeignTensor:
    scale, zero = detail["quantization"]
    return ForeignTensor(
        str(detail["name"]),
        tuple(int(side) for side in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scale),
        int(zero),
    )


def _taken(interpreter: Any) -> Delegation:
    """LiteRT's list is an internal member; without it nothing is told."""
    details: list[dict[str, Any]] = getattr(interpreter, "_get_ops_details", list)()
    return taken_by_delegates(details, [int(one["index"]) for one in interpreter.get_output_details()])
