"""A .tflite file as import takes it: converted, proven, and with what is appended to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx

from vigie.errors import EngineError, ModelFileError, ProviderError
from vigie.models.bundle import TFLITE_IDENTIFIER
from vigie.runtimes.engines.reference_run import run_reference
from vigie_devkit.models.checks import check_model, read_model_file
from vigie_devkit.models.families.dense import SUPPRESSED
from vigie_devkit.models.pictures import parity_pictures
from vigie_devkit.models.signature import metadata_labels
from vigie_devkit.models.tflite.convert import Converted, convert
from vigie_devkit.models.tflite.flatbuffer import Network, read_network
from vigie_devkit.models.tflite.metadata import read_metadata
from vigie_devkit.models.tflite.orient import orient
from vigie_devkit.models.tflite.proof import prove

# Of the metadata of a converted file: the least and the largest number that its quantized input holds.
LEVELS = "tflite.levels"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A checked ONNX model, and what was done, in words."""

    model: onnx.ModelProto
    steps: tuple[str, ...]


def is_tflite(file: Path) -> bool:
    """By the identifier in it, never by its name."""
    try:
        with file.open("rb") as opened:
            return opened.read(8)[4:] == TFLITE_IDENTIFIER
    except OSError:
        return False  # who reads it next says why


def open_tflite(file: Path, labels: tuple[str, ...] | None) -> Opened:
    """Args: labels: told by the user. Raises: ModelFileError: see the other modules. ProviderError: no LiteRT."""
    schema = _schema(file)
    content = read_model_file(file)
    network = read_network(file, content, schema)
    if not network.inputs:
        raise ModelFileError(str(file), "takes no input; a model with a picture as its input is expected")
    whole = convert(file, network)
    check_model(file, whole.model)
    agreed = prove(file, content, network, whole, convert(file, network, apart=True))
    metadata = _metadata(content, network, whole)
    names = labels or metadata_labels(metadata)
    turned = _orient(file, network, whole, None if names is None else len(names))
    for key, value in metadata.items():
        whole.model.metadata_props.add(key=key, value=value)
    said = [f"converted from {len(network.operators)} operators of TensorFlow Lite", agreed, *turned]
    return Opened(whole.model, tuple(said))


def _schema(file: Path) -> ModuleType:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise ProviderError(
            file.name,
            "ai-edge-litert is not installed here, which reads .tflite files and proves their conversion",
            "install ai-edge-litert (vigie[litert]); in a checkout: docs/hardware.md, 'Engines on a laptop'",
        ) from error
    return schema_py_generated  # type: ignore[no-any-return]  # it may not be installed


def _metadata(content: bytes, network: Network, whole: Converted) -> dict[str, str]:
    suppression = whole.suppression
    found = read_metadata(content, None if suppression is None else suppression.classes)
    if suppression is not None:
        found[SUPPRESSED] = json.dumps({"classes": suppression.classes, "iou_max": round(suppression.iou_max, 4)})
    picture = network.tensors[network.inputs[0]]
    if picture.quantized:
        found[LEVELS] = json.dumps(list(picture.span))
    return found


def _orient(file: Path, network: Network, whole: Converted, classes: int | None) -> tuple[str, ...]:
    """Of a network with one picture as its input and one output; others are left as they are."""
    shape = tuple(dim.dim_value for dim in whole.model.graph.input[0].type.tensor_type.shape.dim)
    if len(network.inputs) != 1 or len(shape) != 4 or shape[1] != 3 or len(whole.outputs) != 1:
        return ()
    size_hw = (shape[2], shape[3])
    picture = (parity_pictures(size_hw)[0] / 255.0).transpose(2, 0, 1)[None]
    kind = onnx.helper.tensor_dtype_to_np_dtype(whole.model.graph.input[0].type.tensor_type.elem_type)
    try:
        answer = run_reference(
            whole.model.SerializeToString(), {whole.inputs[0]: picture.astype(kind)}, name=file.name
        )[whole.outputs[0]]
    except EngineError as error:
        raise ModelFileError(str(file), f"its conversion does not run: {error.reason}") from error
    return orient(whole.model, np.asarray(answer), size_hw, classes)
