"""The messages of the Open Inference Protocol's gRPC service, as a table: what is sent and read, and no more.

Source: ``grpc_predict_v2.proto`` of KServe, package ``inference``, with its field numbers. Fields that are not in the
table (parameters) are left out when sent and skipped when read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]  # it ships none
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

SERVICE = "inference.GRPCInferenceService"
_PACKAGE = "inference"
# Name, number, type; a type that begins with a capital is a message of this table, ``*`` repeats.
_TABLE: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (("name", 1, "string"), ("version", 2, "string"), ("extensions", 3, "string*")),
    "ModelReadyRequest": (("name", 1, "string"), ("version", 2, "string")),
    "ModelReadyResponse": (("ready", 1, "bool"),),
    "ModelMetadataRequest": (("name", 1, "string"), ("version", 2, "string")),
    "TensorMetadata": (("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "int64*")),
    "ModelMetadataResponse": (
        ("name", 1, "string"),
        ("platform", 3, "string"),
        ("inputs", 4, "TensorMetadata*"),
        ("outputs", 5, "TensorMetadata*"),
    ),
    "InferTensor": (("name", 1, "string"), ("datatype", 2, "string"), ("shape", 3, "int64*")),
    "InferRequestedOutput": (("name", 1, "string"),),
    "ModelInferRequest": (
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("inputs", 5, "InferTensor*"),
        ("outputs", 6, "InferRequestedOutput*"),
        ("raw_input_contents", 7, "bytes*"),
    ),
    "ModelInferResponse": (
        ("model_name", 1, "string"),
        ("outputs", 5, "InferTensor*"),
        ("raw_output_contents", 6, "bytes*"),
    ),
}
_FIELD = descriptor_pb2.FieldDescriptorProto


@cache
def message(name: str) -> Any:
    """The class of a message."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    """A pool of our own: another library in the process may know the same names."""
    file = descriptor_pb2.FileDescriptorProto(name="vigie_open_inference.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _TABLE.items():
        described = file.message_type.add(name=name)
        for field, number, kind in fields:
            word = kind.removesuffix("*")
            label = _FIELD.LABEL_REPEATED if kind.endswith("*") else _FIELD.LABEL_OPTIONAL
            if word[0].isupper():
                described.field.add(
                    name=field, number=number, label=label, type=_FIELD.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{word}"
                )
            else:
                described.field.add(
                    name=field, number=number, label=label, type=_FIELD.Type.Value(f"TYPE_{word.upper()}")
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool
