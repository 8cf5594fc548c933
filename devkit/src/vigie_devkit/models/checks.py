"""Open an ONNX file that nobody has vouched for: parsed, bounded and checked before anything runs it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]  # comes with onnx

from vigie.errors import BundleError, ModelFileError
from vigie.models.bundle import MODEL_BYTES_MAX, check_contained
from vigie.runtimes.runtime_libraries import first_line
from vigie_devkit.models.order import sort_nodes

# A picture of 8192 x 8192 is beyond every detector; a tensor of 2**29 floats is 2 GiB, beyond every box it runs on.
SIDE_MAX = 8192
ELEMENTS_MAX = 1 << 29
OPSET_MIN = 7
# ONNX Runtime's own contributed operators are built in; any other domain would need a foreign library.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_EXPORT = "export the model to .onnx first"
# Where the mark begins, the mark, what it is, and what to do.
_OTHER_FORMATS = (
    (0, b"PK\x03\x04", "a zip archive (a PyTorch checkpoint is one)", _EXPORT),
    (0, b"\x1f\x8b", "gzip-compressed", "unpack it first"),
    (0, b"\x80\x02", "a Python pickle", _EXPORT),
    (0, b"\x80\x04", "a Python pickle", _EXPORT),
    (0, b"\x89HDF", "an HDF5 file (Keras)", _EXPORT),
    (0, b"<?xml", "XML (an OpenVINO model)", _EXPORT),
    (0, b"\x7fELF", "a program", _EXPORT),
    (0, b"version https://git-lfs", "a Git LFS pointer", "get the file itself with 'git lfs pull'"),
)


def open_model(path: Path) -> onnx.ModelProto:
    """Parse and check an ONNX file; its external data is read in.

    Raises: ModelFileError: no such file, too large, not ONNX, truncated, empty, custom operators, an opset out of
        range, impossible shapes, weights that are not numbers, external data outside its folder or too short.
    """
    model = _parse(path, read_model_file(path))
    check_model(path, model)
    return model


def check_model(path: Path, model: onnx.ModelProto) -> None:
    """Check a parsed model; external data is read into it. Raises: as ``open_model``."""
    if not model.graph.node:
        raise ModelFileError(str(path), "holds no graph; it is empty or no ONNX model")
    _check_opsets(path, model)
    _check_operators(path, model)
    _open_minus_one(model)
    _check_inputs(path, model)
    _load_external(path, model)
    _check_weights(path, model)
    _check_structure(path, model)


def read_model_file(path: Path) -> bytes:
    """Raises: ModelFileError: no such file, too large, or empty."""
    try:
        if not path.is_file():
            raise ModelFileError(
                str(path), "is not a regular file" if path.exists() else "does not exist; check the path"
            )
        size = path.stat().st_size
        if size > MODEL_BYTES_MAX:
            raise ModelFileError(str(path), f"has {size} bytes, at most {MODEL_BYTES_MAX} are read")
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(str(path), f"cannot be read: {error.strerror}") from error
    if not content:
        raise ModelFileError(str(path), "is empty")
    return content


def _parse(path: Path, content: bytes) -> onnx.ModelProto:
    for offset, magic, what, advice in _OTHER_FORMATS:
        if content[offset : offset + len(magic)] == magic:
            raise ModelFileError(str(path), f"is {what}, not ONNX; {advice}")
    try:
        return onnx.load_model_from_string(content)
    except (ProtobufError, ValueError, RecursionError) as error:
        raise ModelFileError(
            str(path), "is not ONNX or is truncated: it does not parse; copy or export it again"
        ) from error


def _check_opsets(path: Path, model: onnx.ModelProto) -> None:
    versions = {item.domain: item.version for item in model.opset_import}
    version = versions.get("", versions.get("ai.onnx"))
    newest = onnx.defs.onnx_opset_version()
    if version is None:
        raise ModelFileError(str(path), "names no opset; export it again")
    if not OPSET_MIN <= version <= newest:
        raise ModelFileError(str(path), f"uses opset {version}; {OPSET_MIN} to {newest} can be imported")


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    foreign = sorted(
        {
            f"{node.domain}:{node.op_type}"
            for node in all_nodes(model)
            if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own
        }
    )
    if foreign:
        raise ModelFileError(
            str(path),
            f"needs custom operators ({', '.join(foreign[:5])}); libraries of operators are never loaded: "
            "export with standard operators only",
        )


def _open_minus_one(model: onnx.ModelProto) -> None:
    """Write open sides as ONNX does. paddle2onnx writes -1, which no reader but ONNX Runtime takes for open."""
    for item in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in item.type.tensor_type.shape.dim:
            if dim.dim_value == -1:
                dim.Clear()


def _check_inputs(path: Path, model: onnx.ModelProto) -> None:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    if not inputs:
        raise ModelFileError(str(path), "has no input")
    if not model.graph.output:
        raise ModelFileError(str(path), "has no output")
    for item in (*inputs, *model.graph.output):
        for dim in item.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < -1:
                raise ModelFileError(str(path), f"'{item.name}' has a side of {dim.dim_value}")
    for item in inputs:
        kind = item.type.tensor_type.elem_type
        try:
            onnx.helper.tensor_dtype_to_np_dtype(kind)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(str(path), f"input '{item.name}' has elements of the unknown type {kind}") from error
        sides = [dim.dim_value for dim in item.type.tensor_type.shape.dim if dim.HasField("dim_value")]
        if any(side > SIDE_MAX for side in sides):
            raise ModelFileError(str(path), f"input '{item.name}' is {sides}; no side may exceed {SIDE_MAX}")


def _load_external(path: Path, model: onnx.ModelProto) -> None:
    folder, total = path.absolute().parent, 0
    for tensor in all_tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        facts = {entry.key: entry.value for entry in tensor.external_data}
        location = facts.get("location", "")
        try:
            size = check_contained(folder, location, limit=MODEL_BYTES_MAX)
        except BundleError as error:
            raise ModelFileError(str(path), f"external data of '{tensor.name}': {error.reason}") from error
        needed = tensor_bytes(path, tensor)
        start, length = _range(path, tensor.name, facts, needed)
        if length != needed or start + length > size:
            raise ModelFileError(
                str(path),
                f"external data of '{tensor.name}': {location} has {size} bytes, {needed} from {start} are needed",
            )
        total += length
        if total > MODEL_BYTES_MAX:
            raise ModelFileError(str(path), f"external data add up to more than {MODEL_BYTES_MAX} bytes")
        with (folder / PurePosixPath(location)).open("rb") as file:
            file.seek(start)
            tensor.raw_data = file.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _range(path: Path, name: str, facts: dict[str, str], needed: int) -> tuple[int, int]:
    try:
        start, length = int(facts.get("offset", 0)), int(facts.get("length", needed))
    except ValueError as error:
        raise ModelFileError(str(path), f"external data of '{name}': offset or length is not a number") from error
    if start < 0 or length < 0:
        raise ModelFileError(str(path), f"external data of '{name}': offset or length is negative")
    return start, length


def _check_weights(path: Path, model: onnx.ModelProto) -> None:
    for tensor in all_tensors(model):
        needed = tensor_bytes(path, tensor)
        if tensor.HasField("raw_data") and len(tensor.raw_data) != needed:
            raise ModelFileError(
                str(path),
                f"weight '{tensor.name}' of shape {list(tensor.dims)} needs {needed} bytes and has "
                f"{len(tensor.raw_data)}; the file is damaged",
            )
        if tensor.data_type == onnx.TensorProto.STRING:
            continue
        try:
            values = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelFileError(str(path), f"weight '{tensor.name}' cannot be read; the file is damaged") from error
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ModelFileError(
                str(path), f"weight '{tensor.name}' holds NaN; the training diverged or the file is damaged"
            )


def _check_structure(path: Path, model: onnx.ModelProto) -> None:
    if not sort_nodes(model):
        raise ModelFileError(str(path), "contains a cycle of nodes")
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelFileError(str(path), f"is not a valid ONNX graph: {first_line(error)}") from error
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ModelFileError(str(path), f"has shapes that contradict each other: {first_line(error)}") from error
    for item in (*inferred.graph.value_info, *inferred.graph.output):
        sides = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        if any(side < 0 for side in sides) or math.prod(max(side, 1) for side in sides) > ELEMENTS_MAX:
            raise ModelFileError(
                str(path), f"'{item.name}' would have the shape {sides}; tensors have at most {ELEMENTS_MAX} elements"
            )


def tensor_bytes(path: Path, tensor: onnx.TensorProto) -> int:
    """Bytes that the shape and type of a tensor need. Raises: ModelFileError: an impossible shape or type."""
    if any(side < 0 for side in tensor.dims) or math.prod(tensor.dims) > ELEMENTS_MAX:
        raise ModelFileError(
            str(path), f"weight '{tensor.name}' has the shape {list(tensor.dims)}; at most {ELEMENTS_MAX} elements"
        )
    if tensor.data_type == onnx.TensorProto.STRING:
        return 0
    if tensor.data_type in (onnx.TensorProto.UINT4, onnx.TensorProto.INT4):
        return int(math.prod(tensor.dims) + 1) // 2
    try:
        item = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(str(path), f"weight '{tensor.name}' has the unknown type {tensor.data_type}") from error
    elements: int = math.prod(tensor.dims)
    return elements * int(item)


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node: of the graph, of graphs inside nodes, of the model's own functions."""
    stack: list[Any] = [*model.graph.node]
    for function in model.functions:
        stack += function.node
    while stack:
        node = stack.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                stack += graph.node


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor with data: initializers and tensor attributes, inside nodes and functions too."""
    yield from model.graph.initializer
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in all_nodes(model):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer
