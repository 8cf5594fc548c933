"""Run any ONNX graph once on the CPU: the reference that parity is measured against, and how import learns shapes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from numpy.typing import NDArray

from vigie.errors import EngineError
from vigie.runtimes.runtime_libraries import first_line, import_onnxruntime

# The largest models take seconds on one thread. A graph may hold a loop that never ends.
WITHIN_S: Final = 300.0

Run = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


def run_reference(model: bytes | str, feeds: Mapping[str, NDArray[Any]], *, name: str) -> dict[str, NDArray[Any]]:
    """Outputs by name of one run: CPU provider, BASIC optimisation, one thread, so that it repeats to the bit.

    Args: model: a serialized ONNX file, or its path where it has external data. name: for the error's text.
    Raises: EngineError: ONNX Runtime refuses the graph or fails in it, or it takes longer than ``WITHIN_S``; custom
        operators are never loaded.
    """
    return open_reference(model, name=name)(feeds)


def open_reference(model: bytes | str, *, name: str, within_s: float = WITHIN_S) -> Run:
    """As ``run_reference``, for more than one run. Raises: EngineError, here and in each run."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own classes share no base
        raise EngineError(name, f"ONNX Runtime refuses it: {first_line(error)}") from error
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        bound, late = runtime.RunOptions(), threading.Event()

        def stop() -> None:
            late.set()
            bound.terminate = True  # ONNX Runtime looks at it between two nodes, also inside of a loop

        timer = threading.Timer(within_s, stop)
        timer.daemon = True
        timer.start()
        try:
            return dict(zip(names, session.run(names, dict(feeds), bound), strict=True))
        except Exception as error:
            if late.is_set():
                said = f"gave no answer within {within_s:g} s on one thread; a loop in it may never end"
                raise EngineError(name, said) from error
            raise EngineError(name, f"ONNX Runtime refuses it: {first_line(error)}") from error
        finally:
            timer.cancel()

    return run
