"""A .tflite file as tensors and operators: read lazily, counted before it is looped over, and bounded in size.

The schema is that of LiteRT's own wheel. Nothing in the file is trusted: a position outside of it ends in a sentence.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import ModelFileError
from vigie.models.bundle import MODEL_BYTES_MAX
from vigie_devkit.models.checks import ELEMENTS_MAX

TENSORS_MAX = OPERATORS_MAX = 20_000
_RANK_MAX = 8
_PORTS_MAX = 400_000
_SCALES_MAX = 1 << 24
_OPTIONS_BYTES_MAX = 1 << 16
_TEXT_BYTES_MAX = 1 << 26
_TEXT_MAX = 500
# What a flatbuffer's accessors raise where a position, a length or a text in it is not one.
BROKEN = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, KeyError, RecursionError)
_TYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """``scales``: of its steps, one or one per index of axis ``axis``; empty where its numbers are what they say.

    ``data``: what the file stores of a constant, in its own type; ``None`` for what is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data: NDArray[Any] | None
    scales: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    zeros: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    axis: int = 0

    @property
    def quantized(self) -> bool:
        return self.scales.size > 0 and self.dtype.kind in "iu"

    @property
    def real(self) -> NDArray[Any] | None:
        """A constant as numbers: float32 where it is stored in steps or in half precision."""
        if self.data is None:
            return None
        return self.dequantized(self.data) if self.quantized else _single(self.data)

    def dequantized(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        axes = [1] * stored.ndim
        if self.scales.size > 1:
            axes[self.axis] = -1
        scales, zeros = (one.reshape(axes if stored.ndim else ()) for one in (self.scales, self.zeros))
        return ((stored.astype(np.float64) - zeros) * scales.astype(np.float64)).astype(np.float32)

    @property
    def span(self) -> tuple[float, float]:
        """The least and the largest number that its steps can say."""
        limits = np.iinfo(self.dtype)
        zero, scale = float(self.zeros[0]), float(self.scales[0])
        return (limits.min - zero) * scale, (limits.max - zero) * scale


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """``name``: of the built-in operator, or of the custom one. ``options``: the schema's table, or custom bytes."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any = None
    custom: bytes | None = None

    def option(self, name: str, default: Any = 0) -> Any:
        """A field of its options by the schema's name; ``default`` where the file leaves them out."""
        return default if self.options is None else getattr(self.options, name)()


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The one graph of a file; tensors by number."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    description: str


def read_network(file: Path, content: bytes, schema: Any) -> Network:
    """Args: schema: LiteRT's generated module. Raises: ModelFileError: damaged, too large, or more than one graph."""
    try:
        return _Reader(file, content, schema).network()
    except BROKEN as error:
        raise ModelFileError(
            str(file), "is not a whole .tflite file: its FlatBuffer points outside of itself; copy or export it again"
        ) from error


class _Reader:
    def __init__(self, file: Path, content: bytes, schema: Any) -> None:
        self._file, self._content, self._schema = file, content, schema
        self._operators = _by_number(schema.BuiltinOperator)
        self._options = _by_number(schema.BuiltinOptions)
        self._options_2 = _by_number(schema.BuiltinOptions2)
        self._types = _by_number(schema.TensorType)
        self._model = schema.Model.GetRootAs(content, 0)
        self._spent: dict[str, int] = {}

    def network(self) -> Network:
        graphs = self._model.SubgraphsLength()
        if graphs != 1:
            raise self._refuse(f"holds {graphs} graphs; one without branches and loops is read")
        graph = self._model.Subgraphs(0)
        self._bounded(graph.TensorsLength(), TENSORS_MAX, "tensors")
        self._bounded(graph.OperatorsLength(), OPERATORS_MAX, "operators")
        self._bounded(self._model.OperatorCodesLength(), OPERATORS_MAX, "operator codes")
        self._spend("inputs and outputs", graph.InputsLength() + graph.OutputsLength(), _PORTS_MAX)
        tensors = tuple(self._tensor(graph.Tensors(index)) for index in range(graph.TensorsLength()))
        codes = [self._model.OperatorCodes(index) for index in range(self._model.OperatorCodesLength())]
        operators = tuple(
            self._operator(graph.Operators(index), codes, len(tensors)) for index in range(graph.OperatorsLength())
        )
        network = Network(
            tensors,
            operators,
            self._ports([graph.Inputs(index) for index in range(graph.InputsLength())], len(tensors)),
            self._ports([graph.Outputs(index) for index in range(graph.OutputsLength())], len(tensors)),
            self._text(self._model.Description()),
        )
        self._check_order(network)
        return network

    def _tensor(self, found: Any) -> Tensor:
        name = self._text(found.Name())
        rank = found.ShapeLength()
        if rank > _RANK_MAX:
            raise self._refuse(f"tensor '{name}' has {rank} axes; at most {_RANK_MAX} are read")
        shape = tuple(int(found.Shape(index)) for index in range(rank))
        if any(side < 0 for side in shape) or math.prod(shape) > ELEMENTS_MAX:
            raise self._refuse(f"tensor '{name}' has the shape {list(shape)}; at most {ELEMENTS_MAX} elements")
        # All of them together are what the proof keeps of one run.
        self._spend("elements in its tensors", math.prod(shape), ELEMENTS_MAX)
        kind = self._types.get(found.Type(), f"number {found.Type()}")
        if kind not in _TYPES:
            raise self._refuse(f"tensor '{name}' is of type {kind}, which is not read; export the model to .onnx")
        if found.Sparsity() is not None:
            raise self._refuse(f"tensor '{name}' is sparse, which is not read; export the model to .onnx")
        dtype = np.dtype(_TYPES[kind])
        scales, zeros, axis = self._steps(found.Quantization(), name, shape)
        return Tensor(name, shape, dtype, self._constant(found, name, shape, dtype), scales, zeros, axis)

    def _steps(
        self, found: Any, name: str, shape: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
        if found is None or not found.ScaleLength():
            return np.zeros(0, np.float32), np.zeros(0, np.int64), 0
        count, axis = found.ScaleLength(), int(found.QuantizedDimension())
        self._spend("scales", count + found.ZeroPointLength(), _SCALES_MAX)
        if count > 1 and not (0 <= axis < len(shape) and shape[axis] == count):
            raise self._refuse(f"tensor '{name}' of shape {list(shape)} has {count} scales along axis {axis}")
        scales = np.asarray(found.ScaleAsNumpy(), np.float32)
        zeros = np.asarray(found.ZeroPointAsNumpy(), np.int64) if found.ZeroPointLength() else np.zeros(1, np.int64)
        if not (np.isfinite(scales).all() and (scales >= 0).all()) or zeros.size not in {1, count}:
            raise self._refuse(f"tensor '{name}' has scales that are not numbers, or too few zero points")
        return scales, np.broadcast_to(zeros, scales.shape), axis

    def _constant(self, found: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any] | None:
        number = found.Buffer()
        if number == 0:
            return None
        if number >= self._model.BuffersLength():
            raise self._refuse(f"tensor '{name}' is in buffer {number}, which is missing; the file is damaged")
        buffer = self._model.Buffers(number)
        if buffer.Offset() > 1:
            stored = np.frombuffer(self._content, np.uint8, buffer.Size(), buffer.Offset())
        elif buffer.DataLength():
            stored = buffer.DataAsNumpy()
        else:
            return None
        needed = math.prod(shape) * dtype.itemsize
        if stored.size != needed:
            raise self._refuse(
                f"weight '{name}' of shape {list(shape)} needs {needed} bytes and has {stored.size}; it is damaged"
            )
        self._spend("bytes of weights", needed, MODEL_BYTES_MAX)
        values = stored.astype(np.bool_) if dtype == np.bool_ else stored.copy().view(dtype)
        if dtype.kind == "f" and np.isnan(values).any():
            raise self._refuse(f"weight '{name}' holds NaN; the training diverged or the file is damaged")
        return values.reshape(shape)

    def _operator(self, found: Any, codes: list[Any], tensors: int) -> Operator:
        code = codes[found.OpcodeIndex()]
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._operators.get(number, f"number {number}")
        self._spend("inputs and outputs", found.InputsLength() + found.OutputsLength(), _PORTS_MAX)
        inputs = tuple(int(found.Inputs(index)) for index in range(found.InputsLength()))
        outputs = self._ports([found.Outputs(index) for index in range(found.OutputsLength())], tensors)
        if any(not -1 <= index < tensors for index in inputs):
            raise self._refuse(f"operator {name} reads a tensor that is missing; the file is damaged")
        if name != "CUSTOM":
            return Operator(name, inputs, outputs, self._table(found))
        # Compiled operators (those of the Edge TPU) hold megabytes: they are refused by name, and nothing reads them.
        length = found.CustomOptionsLength()
        custom = found.CustomOptionsAsNumpy()[:_OPTIONS_BYTES_MAX].tobytes() if length else b""
        return Operator(self._text(code.CustomCode()), inputs, outputs, custom=custom)

    def _table(self, found: Any) -> Any:
        for kinds, number, table in (
            (self._options, found.BuiltinOptionsType(), found.BuiltinOptions()),
            (self._options_2, found.BuiltinOptions2Type(), found.BuiltinOptions2()),
        ):
            if number and table is not None and number in kinds:
                options = getattr(self._schema, kinds[number])()
                options.Init(table.Bytes, table.Pos)
                return options
        return None

    def _ports(self, found: list[Any], tensors: int) -> tuple[int, ...]:
        numbers = tuple(int(one) for one in found)
        if any(not 0 <= one < tensors for one in numbers):
            raise self._refuse("names a tensor that is missing; the file is damaged")
        return numbers

    def _check_order(self, network: Network) -> None:
        """Operators stand in the order of running, and write each tensor once: no cycle can be written so."""
        there = {*network.inputs, *(at for at, one in enumerate(network.tensors) if one.data is not None)}
        for operator in network.operators:
            missing = [at for at in operator.inputs if at >= 0 and at not in there]
            again = [at for at in operator.outputs if at in there]
            if missing or again:
                name = network.tensors[(missing or again)[0]].name
                what = "before it is computed" if missing else "again"
                verb = "reads" if missing else "writes"
                raise self._refuse(
                    f"operator {operator.name} {verb} '{name}' {what}; the file is damaged or keeps state"
                )
            there.update(operator.outputs)
        if lost := [at for at in network.outputs if at not in there]:
            raise self._refuse(f"no operator writes its output '{network.tensors[lost[0]].name}'; the file is damaged")
        if not network.operators:
            raise self._refuse("holds no operators; it is empty")

    def _bounded(self, count: int, limit: int, what: str) -> None:
        if not 0 <= count <= limit:
            raise self._refuse(f"has {count} {what}; at most {limit} are read")

    def _spend(self, what: str, count: int, limit: int) -> None:
        """Add to what the file has of a kind: its parts may share one long vector, each of them read anew."""
        self._spent[what] = self._spent.get(what, 0) + count
        self._bounded(self._spent[what], limit, what)

    def _text(self, found: bytes | None) -> str:
        self._spend("bytes of names", len(found or b""), _TEXT_BYTES_MAX)
        return (found or b"")[:_TEXT_MAX].decode("utf-8", "replace")

    def _refuse(self, why: str) -> ModelFileError:
        return ModelFileError(str(self._file), why)


def _by_number(names: Any) -> dict[int, str]:
    return {value: name for name, value in vars(names).items() if isinstance(value, int)}


def _single(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype in (np.float16, np.float64) else values
