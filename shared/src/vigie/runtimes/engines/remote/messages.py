"""Requests and answers of the Open Inference Protocol with tensors as bytes: functions of values.

Source: Open Inference Protocol (KServe v2), and its "binary tensor data" extension: a JSON head, whose length a header
tells, then the tensors' bytes in the head's order. Pictures are never sent as JSON: that takes 25 times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.models.card import Card
from vigie.runtimes.signature import Port

BINARY = "binary_tensor_data"
_TYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT8": "int8",
    "UINT16": "uint16",
    "INT16": "int16",
    "UINT32": "uint32",
    "INT32": "int32",
    "UINT64": "uint64",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}


class ServerFacts(msgspec.Struct, frozen=True):
    """What ``GET /v2`` answers."""

    name: str = "a server without a name"
    version: str = ""
    extensions: tuple[str, ...] = ()


class TensorFacts(msgspec.Struct, frozen=True):
    """A tensor in a model's metadata; -1 = any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelFacts(msgspec.Struct, frozen=True):
    """What ``GET /v2/models/M`` answers."""

    name: str
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    platform: str | None = None


class _Parameters(msgspec.Struct, frozen=True):
    binary_data_size: int | None = None


class _Output(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: _Parameters = _Parameters()


class _Answer(msgspec.Struct, frozen=True):
    outputs: tuple[_Output, ...]


def signature_of(facts: ModelFacts, card: Card) -> tuple[list[Port], list[Port]]:
    """The model's inputs and outputs, outputs in the card's order; a batch that may have any size is one of 1."""
    order = {output.name: number for number, output in enumerate(card.outputs)}
    batches = {output.name: output.shape[:1] for output in card.outputs} | {card.input.name: (1,)}
    inputs = [_port(tensor, batches) for tensor in facts.inputs]
    outputs = sorted((_port(tensor, batches) for tensor in facts.outputs), key=lambda port: order.get(port[0], 99))
    return inputs, outputs


def request_head(input_name: str, shape: tuple[int, ...], output_names: list[str]) -> bytes:
    """The JSON that goes before one uint8 tensor of ``shape``."""
    return msgspec.json.encode(
        {
            "inputs": [
                {
                    "name": input_name,
                    "shape": shape,
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": math.prod(shape)},
                }
            ],
            "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in output_names],
        }
    )


def read_answer(body: bytes, head_bytes: int | None, card: Card) -> list[NDArray[Any]]:
    """Outputs in the card's order, views of ``body``.

    Args: head_bytes: what the header Inference-Header-Content-Length says; ``None``: it was missing.
    Raises: ValueError: anything but the outputs that the card promises, as bytes; with the reason.
    """
    if head_bytes is None:
        raise ValueError("the server answered without binary tensors")
    if not 0 < head_bytes <= len(body):
        raise ValueError(f"it announces a head of {head_bytes} of {len(body)} bytes")
    try:
        answer = msgspec.json.decode(body[:head_bytes], type=_Answer)
    except msgspec.DecodeError as error:
        raise ValueError(f"its head cannot be read: {error}") from error
    found: dict[str, NDArray[Any]] = {}
    at = head_bytes
    for output in answer.outputs:
        size = output.parameters.binary_data_size
        dtype = _dtype(output)
        wanted = math.prod(output.shape) * dtype.itemsize
        if size is None:
            raise ValueError(f"output '{output.name}' came as JSON")
        if size != wanted or min(output.shape, default=0) < 0 or at + size > len(body):
            raise ValueError(f"output '{output.name}' of shape {list(output.shape)} has {size} bytes")
        found[output.name] = np.frombuffer(body, dtype, size // dtype.itemsize, at).reshape(output.shape)
        at += size
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes belong to no output")
    return [_promised(found, output.name, output.shape) for output in card.outputs]


def read_parts(
    outputs: Sequence[tuple[str, str, tuple[int, ...]]], parts: Sequence[bytes], card: Card
) -> list[NDArray[Any]]:
    """Outputs in the card's order, of what gRPC brings: name, type and shape of each, and their bytes apart.

    Raises: ValueError: anything but the outputs that the card promises, as bytes; with the reason.
    """
    if len(parts) != len(outputs):
        raise ValueError(f"{len(outputs)} outputs came with the bytes of {len(parts)}")
    found: dict[str, NDArray[Any]] = {}
    for (name, datatype, shape), part in zip(outputs, parts, strict=True):
        dtype = _dtype(_Output(name, datatype, shape))
        if min(shape, default=0) < 0 or len(part) != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"output '{name}' of shape {list(shape)} has {len(part)} bytes")
        found[name] = np.frombuffer(part, dtype).reshape(shape)
    return [_promised(found, output.name, output.shape) for output in card.outputs]


def _promised(found: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if name not in found:
        raise ValueError(f"output '{name}' is missing; there are {', '.join(sorted(found)) or 'none'}")
    array = found[name]
    if len(array.shape) != len(shape) or any(
        want not in {-1, has} for want, has in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"output '{name}' has shape {list(array.shape)}, the card promises {list(shape)}")
    return array


def _dtype(output: _Output) -> np.dtype[Any]:
    if output.datatype not in _TYPES:
        raise ValueError(f"output '{output.name}' has the type {output.datatype[:20]!r}")
    return np.dtype(_TYPES[output.datatype])


def _port(tensor: TensorFacts, batches: dict[str, tuple[int, ...]]) -> Port:
    shape = tensor.shape
    if shape[:1] == (-1,) and batches.get(tensor.name) == (1,):
        shape = (1, *shape[1:])
    return tensor.name, _TYPES.get(tensor.datatype, tensor.datatype), shape
