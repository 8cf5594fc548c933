"""A model file made ready for recognition: checked, opset raised, shapes fixed, run once."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from vigie.errors import EngineError, ModelFileError
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.models.checks import open_model
from vigie_devkit.models.evidence.stem import Stem, read_stem
from vigie_devkit.models.normalise import fix_shapes, graph_inputs, image_input, output_shapes, raise_opset
from vigie_devkit.models.pictures import parity_pictures
from vigie_devkit.models.signature import Port, Signature, metadata_labels, read_literal, unread_names
from vigie_devkit.models.tflite.opening import LEVELS, is_tflite, open_tflite

_METADATA_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A checked model at a fixed size: ``model`` still wants its original input, ``signature`` describes it.

    ``original``: what runs it as it came: the file's path, or the bytes of a converted graph that is proven to be it.
    """

    file: Path
    original: str | bytes
    sha256: str
    model: onnx.ModelProto
    signature: Signature
    steps: tuple[str, ...]


def prepare(
    file: Path, *, size_hw: tuple[int, int] | None = None, labels: tuple[str, ...] | None = None
) -> PreparedModel:
    """Open, check, raise the opset, fix the shapes and look at the outside of a model.

    Args: labels: known to the user; recognition may need their number.
    Raises: ModelFileError, ModelUnrecognisedError. ProviderError: a .tflite file, and LiteRT is not installed.
    """
    converted = open_tflite(file, labels) if is_tflite(file) else None
    original = open_model(file) if converted is None else converted.model
    raised, opset_step = raise_opset(original)
    fixed, shape_step = fix_shapes(str(file), raised, size_hw or _size_from_metadata(original))
    return PreparedModel(
        file=file,
        original=str(file) if converted is None else original.SerializeToString(),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        model=fixed,
        signature=_signature(file, fixed, labels),
        steps=(*(() if converted is None else converted.steps), opset_step, shape_step),
    )


def _size_from_metadata(model: onnx.ModelProto) -> tuple[int, int] | None:
    image = image_input(model)
    if all(dim.dim_value for dim in image.type.tensor_type.shape.dim[1:]):
        return None
    metadata = {item.key: item.value for item in model.metadata_props}
    size = read_literal(metadata.get("imgsz", ""))
    if isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return size[0], size[1]
    return None


def _signature(file: Path, model: onnx.ModelProto, labels: tuple[str, ...] | None) -> Signature:
    image = image_input(model)
    inputs = tuple(
        Port(
            item.name,
            tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim),
            str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type))),
        )
        for item in [image, *(item for item in graph_inputs(model) if item.name != image.name)]
    )
    bare = Signature(str(file), inputs, ())
    picture = parity_pictures(bare.input_hw)[0]
    feeds = {port.name: _probe_feed(port, picture, bare) for port in inputs}
    try:
        measured = run_reference(model.SerializeToString(), feeds, name=file.name)
    except EngineError as error:
        raise ModelFileError(str(file), f"does not run: {error.reason}") from error
    shapes = output_shapes(model, {name: array.shape for name, array in measured.items()})
    metadata = {item.key: item.value for item in model.metadata_props}
    return Signature(
        file=str(file),
        inputs=inputs,
        outputs=tuple(Port(name, shapes[name], str(array.dtype)) for name, array in measured.items()),
        metadata=metadata,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        probe=measured,
        labels=labels if labels is not None else metadata_labels(metadata),
        unread_names="" if labels is not None else unread_names(metadata),
        stem=_stem(model, image.name, metadata),
        anomaly=_anomaly_facts(file, metadata),
    )


def _stem(model: onnx.ModelProto, image: str, metadata: Mapping[str, str]) -> Stem:
    """As the graph shows it, and as the steps of a .tflite file's quantized input say."""
    stem = read_stem(model, image)
    levels = read_literal(metadata.get(LEVELS, ""))
    if isinstance(levels, list) and len(levels) == 2 and all(isinstance(one, float) for one in levels):
        return dataclasses.replace(stem, levels=(levels[0], levels[1]), exact=True)
    return stem


def _anomaly_facts(file: Path, metadata: Mapping[str, str]) -> dict[str, float]:
    """The numbers of Anomalib's ``metadata.json``, or of the file's own metadata; empty without a threshold."""
    beside = file.with_name("metadata.json")
    told: object = dict(metadata)
    if "image_threshold" not in metadata and beside.is_file() and beside.stat().st_size <= _METADATA_BYTES_MAX:
        try:
            told = msgspec.json.decode(beside.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
    if not isinstance(told, dict) or "image_threshold" not in told:
        return {}
    facts = {}
    for name, value in told.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(number):
            facts[str(name)] = number
    return facts if "image_threshold" in facts else {}


def _probe_feed(port: Port, picture: NDArray[np.uint8], signature: Signature) -> NDArray[Any]:
    if port.name != signature.image.name:
        # Second inputs of detectors ask for the picture's size, or by how much it was scaled; other uses show in
        # recognition, not here.
        if "scale" in port.name:
            return np.ones(port.shape, port.dtype)
        size = np.resize(np.array(signature.input_hw), port.shape)
        return size.astype(port.dtype)
    values = picture if port.dtype == "uint8" else (picture / 255.0)
    if not signature.nhwc:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values.reshape(port.shape)).astype(port.dtype)
