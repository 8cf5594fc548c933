"""OpenVINO as an engine of its own: CPUs of any maker, Intel GPUs and NPUs; one device, never AUTO or HETERO."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineError, ProviderError
from vigie.models.bundle import Bundle
from vigie.models.card import Card
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines.engine import CardEngine, EngineSettings
from vigie.runtimes.engines.onnxruntime_session import find_row
from vigie.runtimes.engines.openvino_proof import executed_layers, judge_layers
from vigie.runtimes.proof import Proof
from vigie.runtimes.providers import Row, check_options
from vigie.runtimes.remedy import SEE_DOCTOR
from vigie.runtimes.runtime_libraries import import_openvino
from vigie.runtimes.signature import Port, check_signature, check_tensor


class OpenVinoEngine(CardEngine):
    """See ``vigie.runtimes.Engine``."""

    def __init__(self, compiled: Any, openvino: Any, card: Card, candidate: Candidate, precision: str) -> None:
        super().__init__(card, candidate, f"OpenVINO:{candidate.device}")
        self._compiled = compiled
        self._precision = precision
        self._request = compiled.create_infer_request()
        # Tensors that share NumPy's memory: the device reads and writes these buffers.
        self._input = np.zeros(self.input_shape, np.uint8)
        self._tensors = [openvino.Tensor(self._input, shared_memory=True)]
        self._request.set_input_tensor(self._tensors[0])
        self._ports = [_port_of(compiled.outputs, output.name) for output in card.outputs]
        self._outputs: list[NDArray[Any]] = []
        self._open = any(-1 in output.shape for output in card.outputs)
        if not self._open:
            for output, port in zip(card.outputs, self._ports, strict=True):
                self._outputs.append(np.zeros(output.shape, port.element_type.to_dtype()))
                self._tensors.append(openvino.Tensor(self._outputs[-1], shared_memory=True))
                self._request.set_tensor(port, self._tensors[-1])

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        check_tensor(tensor_hwc, self.input_shape[1:])
        self._input[0] = tensor_hwc
        try:
            self._request.infer()
        except RuntimeError as error:
            raise EngineError(self._model, f"the run failed: {telling_line(error)}") from error
        if self._open:
            return [np.array(self._request.get_tensor(port).data) for port in self._ports]
        return self._outputs

    def placement(self) -> dict[str, int]:
        layers = executed_layers(self._compiled)
        return {self.provider: len(layers)} if layers else {}

    def prove(self) -> Proof:
        devices = [str(device) for device in self._compiled.get_property("EXECUTION_DEVICES")]
        return judge_layers(
            asked=self.candidate.key,
            device=self.candidate.device,
            provider=self.provider,
            precision=self._precision,
            ran_on=devices,
            layers=executed_layers(self._compiled),
        )

    def close(self) -> None:
        self._request = self._compiled = None
        self._tensors = []


def open_openvino(bundle: Bundle, candidate: Candidate, settings: EngineSettings) -> OpenVinoEngine:
    """See ``open_engine``."""
    variant = bundle.variant(candidate.variant)
    model = f"{bundle.card.name}/{variant.name}"
    row = find_row(model, candidate)
    check_options(row, candidate.options)
    try:
        openvino = import_openvino()
    except ImportError as error:
        raise ProviderError(model, "openvino is not installed here", "install openvino (vigie[openvino])") from error
    core = openvino.Core()
    # AUTO, HETERO and MULTI start or end on the CPU without saying so; a device has a number at most.
    if not any(name == candidate.device or name.startswith(f"{candidate.device}.") for name in core.available_devices):
        seen = ", ".join(core.available_devices) or "none"
        raise ProviderError(model, f"OpenVINO sees no {candidate.device} here (it sees: {seen})", SEE_DOCTOR)
    content = variant.read()
    if content.external:
        raise EngineError(
            model, "OpenVINO takes external data by path only, where it may be replaced", "import the model as one file"
        )
    try:
        graph = core.read_model(content.graph)
        compiled = core.compile_model(graph, candidate.device, _properties(row, candidate, settings, variant.precision))
    except RuntimeError as error:
        raise EngineError(model, f"OpenVINO refuses it: {telling_line(error)}") from error
    names = {output.name for output in bundle.card.outputs} | {bundle.card.input.name}
    inputs, outputs = _signature(compiled.inputs, names), _signature(compiled.outputs, names)
    # OpenVINO may order outputs by its own rules: the card's order is the contract, names tell them apart.
    order = {output.name: number for number, output in enumerate(bundle.card.outputs)}
    outputs.sort(key=lambda port: order.get(port[0], len(order)))
    check_signature(bundle.card, model, inputs, outputs)
    return OpenVinoEngine(compiled, openvino, bundle.card, candidate, variant.precision)


def _properties(row: Row, candidate: Candidate, settings: EngineSettings, precision: str) -> dict[str, str]:
    """What to compile with. On a GPU, or with AMX, fp32 by default is less: f32 is stated. NPUs have no f32."""
    properties = dict(row.performance.get(settings.objective, {}))
    device = candidate.device.partition(".")[0]
    if device != "NPU":  # there streams cannot be set
        properties["NUM_STREAMS"] = "1"
    if device == "CPU":
        # Pinned threads of several modules would share cores while others idle.
        properties |= {"INFERENCE_NUM_THREADS": str(candidate.threads), "ENABLE_CPU_PINNING": "NO"}
    if device == "CPU" or (device == "GPU" and precision == "fp32"):
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    if settings.cache is not None:
        properties |= {name: value.format(folder=settings.cache) for name, value in row.cache.items()}
    return properties | candidate.options


def _signature(ports: Any, names: set[str]) -> list[Port]:
    """A port may have several names; the card's counts."""
    found: list[Port] = []
    for port in ports:
        known = sorted(names & set(port.get_names()))
        shape = tuple(side.get_length() if side.is_static else -1 for side in port.get_partial_shape())
        found.append((known[0] if known else port.get_any_name(), np.dtype(port.element_type.to_dtype()).name, shape))
    return found


def _port_of(ports: Any, name: str) -> Any:
    return next(port for port in ports if name in port.get_names())


def telling_line(error: BaseException) -> str:
    """OpenVINO's message without the source lines that its first lines are."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return (telling or lines or [type(error).__name__])[0][:300]
