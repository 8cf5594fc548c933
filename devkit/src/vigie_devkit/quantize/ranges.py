"""Run the float network over the calibration frames once and keep what every tensor held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vigie.runtimes.runtime_libraries import import_onnxruntime
from vigie_devkit.quantize.histograms import Histogram
from vigie_devkit.quantize.layers import Network


def observe(
    network: Network, frames: Iterable[NDArray[np.uint8]], *, threads: int, step: Callable[[], None]
) -> dict[str, Histogram]:
    """Histograms of every float tensor that is computed from the frame, by tensor name.

    Args: frames: (H, W, 3) uint8, as the device would feed them. step: called after each frame, for a progress bar.
    Raises: ValueError: a tensor holds NaN or infinity on a frame; the text names it.
    """
    names = watched(network)
    runner = TensorRunner(network, names, threads=threads)
    histograms = {name: Histogram() for name in names}
    for frame in frames:
        for name, values in runner(frame).items():
            try:
                histograms[name].add(values)
            except ValueError as error:
                raise ValueError(f"tensor '{name}' {error}") from error
        step()
    return histograms


def watched(network: Network) -> list[str]:
    """Float tensors that nodes compute, in graph order."""
    return [output for node in network.model.graph.node for output in node.output if output in network.float_tensors]


class TensorRunner:
    """The float graph with chosen inner tensors as further outputs."""

    def __init__(self, network: Network, names: Iterable[str], *, threads: int) -> None:
        self._names = list(names)
        model = onnx.ModelProto()
        model.CopyFrom(network.model)
        have = {item.name for item in model.graph.output}
        model.graph.output.extend(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in self._names
            if name not in have
        )
        self._input = model.graph.input[0].name
        self._session = open_session(model.SerializeToString(), threads=threads)

    def __call__(self, tensor_hwc: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        values = self._session.run(self._names, {self._input: tensor_hwc[None]})
        return dict(zip(self._names, values, strict=True))


def open_session(content: bytes, *, threads: int, fused: bool = True) -> Any:
    """A CPU session of a graph that this kit has made itself; everything optimised, as it will serve.

    Args: fused: join Q/DQ pairs with the layers between them into integer kernels.
    """
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not fused:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
