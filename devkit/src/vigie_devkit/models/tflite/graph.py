"""An ONNX graph in the making: values by the number of the tensor that they stand for, in one or both layouts.

A .tflite file keeps pictures channels last, ONNX channels first. A value of four axes is kept as whoever computed it
left it (``plain``: as in the file; ``planes``: channels first) and turned only where somebody reads it the other way,
so that what lies between two convolutions is not turned at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from vigie.errors import ModelFileError
from vigie.models.bundle import MODEL_BYTES_MAX
from vigie_devkit.models.normalise import OPSET_MIN
from vigie_devkit.models.tflite.flatbuffer import Network, Operator, Tensor

TO_PLANES, TO_PLAIN = [0, 3, 1, 2], [0, 2, 3, 1]
# Where an axis of the file's layout is among planes.
PLANES_AXIS = (0, 2, 3, 1)
_IR_VERSION = 8
_ACTIVATIONS = {1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}  # RELU, RELU_N1_TO_1, RELU6
_TANH = 4


class Graph:
    """``apart``: each operator reads what ``told_N`` inputs say in place of what the operators before it computed, and
    answers as ``answer_N``, so that each can be compared alone. The nodes are otherwise the same.
    """

    def __init__(self, file: Path, network: Network, *, apart: bool = False) -> None:
        self.network = network
        self.inputs: list[onnx.ValueInfoProto] = []
        self.answers: list[int] = []
        self.told: list[int] = []
        self._file, self._apart = file, apart
        self._nodes: list[onnx.NodeProto] = []
        self._held: dict[str, NDArray[Any]] = {}
        self._plain: dict[int, str] = {}
        self._planes: dict[int, str] = {}
        self._folded: dict[int, NDArray[Any]] = {}
        self._outputs: list[onnx.ValueInfoProto] = []
        self._turned: dict[tuple[int, bool], str] = {}
        self._bytes = 0

    def tensor(self, number: int) -> Tensor:
        return self.network.tensors[number]

    def shape(self, number: int) -> tuple[int, ...]:
        """As the file states it; of a constant, its own."""
        constant = self._folded.get(number)
        return self.tensor(number).shape if constant is None else constant.shape

    def is_constant(self, number: int) -> bool:
        return number in self._folded or self.tensor(number).data is not None

    def constant(self, number: int) -> NDArray[Any] | None:
        """A constant's numbers; ``None`` for what the picture decides."""
        return self._folded[number] if number in self._folded else self.tensor(number).real

    def needed(self, number: int, operator: Operator, what: str) -> NDArray[Any]:
        """A constant that an operator cannot do without. Raises: ModelFileError: it is computed."""
        found = self.constant(number)
        if found is None:
            raise self.refuse(f"operator {operator.name} computes its {what}; one that is constant is read")
        return found

    def fold(self, number: int, values: NDArray[Any]) -> None:
        self._folded[number] = values

    def beside(self) -> Graph:
        """Another graph of the same constants, for what is computed of them alone."""
        other = Graph(self._file, self.network)
        other._folded = self._folded
        return other

    def refuse(self, why: str) -> ModelFileError:
        return ModelFileError(str(self._file), why)

    def source(self, number: int, name: str) -> None:
        """A graph input: a picture's channels first, as other exports have it."""
        shape, kind = self.shape(number), element_of(self.tensor(number))
        if len(shape) == 4 and shape[3] in {1, 3}:
            shape = tuple(shape[axis] for axis in TO_PLANES)
            self._planes[number] = name
        else:
            self._plain[number] = name
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def in_planes(self, numbers: Sequence[int]) -> bool:
        """Whether one of these values is there channels first."""
        return any(number in self._planes for number in numbers)

    def plain(self, number: int) -> str:
        """The name of a value, laid out as in the file."""
        if self.is_constant(number):
            return self._constant(number, planes=False)
        if number not in self._plain:
            if number not in self._planes:
                raise self.refuse(f"reads '{self.tensor(number).name}', which nothing computes; the file is damaged")
            self._plain[number] = self.emit("Transpose", [self._planes[number]], perm=TO_PLAIN)
        return self._plain[number]

    def planes(self, number: int) -> str:
        """The name of a value of four axes, channels first."""
        if len(self.shape(number)) != 4:
            raise self.refuse(f"'{self.tensor(number).name}' has {len(self.shape(number))} axes where four are needed")
        if self.is_constant(number):
            return self._constant(number, planes=True)
        if number not in self._planes:
            self._planes[number] = self.emit("Transpose", [self.plain(number)], perm=TO_PLANES)
        return self._planes[number]

    def value(self, number: int, *, planes: bool) -> str:
        return self.planes(number) if planes else self.plain(number)

    def hold(self, values: NDArray[Any] | np.generic) -> str:
        """A constant of the graph."""
        self._bytes += values.nbytes
        if self._bytes > MODEL_BYTES_MAX:
            raise self.refuse(f"would have weights of more than {MODEL_BYTES_MAX} bytes in floats")
        name = f"constant_{len(self._held)}"
        self._held[name] = np.asarray(values, order="C")
        return name

    def emit(self, operator: str, inputs: Sequence[str], *, outputs: int = 0, **attributes: Any) -> Any:
        """Add a node; the name of its output, or the names of its ``outputs``."""
        at = len(self._nodes)
        names = [f"{operator.lower()}_{at}_{index}" for index in range(max(outputs, 1))]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=f"{operator}_{at}", **attributes))
        return names if outputs else names[0]

    def activate(self, number: int, name: str, activation: int, *, planes: bool) -> None:
        """Put a value after its fused activation, and after what its steps cannot say below 0 or above 6.

        Quantizing converters leave ReLU out where the steps begin at 0: then saturation is the activation.
        """
        low, high = _ACTIVATIONS.get(activation, (None, None))
        if activation == _TANH:
            name = self.emit("Tanh", [name])
        elif activation and low is None:
            raise self.refuse(f"has the fused activation number {activation}, which is not read")
        tensor = self.tensor(number)
        if tensor.quantized and low is None:
            least, most = tensor.span
            if least == 0.0:
                low, high = 0.0, 6.0 if abs(most - 6.0) < 0.03 else None
        if low is not None:
            bounds = [self.hold(np.float32(low)), *([] if high is None else [self.hold(np.float32(high))])]
            name = self.emit("Relu", [name]) if (low, high) == (0.0, None) else self.emit("Clip", [name, *bounds])
        self.put(number, name, planes=planes)

    def put(self, number: int, name: str, *, planes: bool) -> None:
        """Say which value a tensor is. Raises: ValueError: planes, of a tensor that has not four axes."""
        if planes and len(self.shape(number)) != 4:
            raise ValueError(self.tensor(number).name)
        if self._apart:
            answer = self.emit("Transpose", [name], perm=TO_PLAIN) if planes else name
            self._say(f"answer_{number}", answer, number)
            self.answers.append(number)
            name = self._told(number, planes=planes)
        (self._planes if planes else self._plain)[number] = name

    def finish(self, outputs: Sequence[tuple[str, str, int, tuple[int, ...]]], *, producer: str) -> onnx.ModelProto:
        """The model. Args: outputs: name, value, element type, shape."""
        for name, value, kind, shape in outputs:
            self._nodes.append(helper.make_node("Identity", [value], [name], name=f"output_{name}"))
            self._outputs.append(helper.make_tensor_value_info(name, kind, shape))
        read = {name for node in self._nodes for name in node.input}
        held = [numpy_helper.from_array(value, name) for name, value in self._held.items() if name in read]
        graph = helper.make_graph(self._nodes, "tflite", self.inputs, self._outputs, held)
        opset = [helper.make_opsetid("", OPSET_MIN)]
        return helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name=producer)

    def _constant(self, number: int, *, planes: bool) -> str:
        if (number, planes) not in self._turned:
            values = self.constant(number)
            assert values is not None  # noqa: S101  # ``is_constant`` says so
            self._turned[number, planes] = self.hold(values.transpose(TO_PLANES) if planes else values)
        return self._turned[number, planes]

    def _told(self, number: int, *, planes: bool) -> str:
        name = f"told_{number}"
        self.told.append(number)
        self.inputs.append(helper.make_tensor_value_info(name, element_of(self.tensor(number)), self.shape(number)))
        return self.emit("Transpose", [name], perm=TO_PLANES) if planes else name

    def _say(self, name: str, value: str, number: int) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"say_{name}"))
        # Its rank alone: an operator that gives another shape is told by name, not by ONNX Runtime.
        sides = [f"{name}_{axis}" for axis in range(len(self.shape(number)))]
        self._outputs.append(helper.make_tensor_value_info(name, element_of(self.tensor(number)), sides))


def element_of(tensor: Tensor) -> int:
    """ONNX's type of a value: float where the file counts in steps or in half precision."""
    floating = tensor.quantized or tensor.dtype.kind == "f"
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(np.float32) if floating else tensor.dtype))


def elements(shape: Sequence[int]) -> int:
    return math.prod(shape)
