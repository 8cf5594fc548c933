"""Bring a checked graph into one shape: opset 17 or later, batch 1, fixed sides, only the outputs that are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from vigie.errors import ModelUnrecognisedError
from vigie_devkit.models.order import reads

# Quantization needs QDQ with an axis (13) and LayerNormalization as one node (17).
OPSET_MIN = 17
# Their output's size depends on the picture, not on shapes.
_DATA_DEPENDENT = frozenset({"NonMaxSuppression", "NonZero", "Unique", "Compress"})


def image_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The input of rank 4, or rank 3 without a batch: where the picture goes in."""
    inputs = graph_inputs(model)
    ranked = [item for rank in (4, 3) for item in inputs if len(item.type.tensor_type.shape.dim) == rank]
    return ranked[0] if ranked else inputs[0]


def graph_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Inputs that are fed; old files list their weights as inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [item for item in model.graph.input if item.name not in weights]


def raise_opset(model: onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The model at opset 17 or later and what was done, in words.

    The converter cannot take every graph; what it refuses stays as it is and says so (quantization will refuse it).
    """
    version = next(item.version for item in model.opset_import if item.domain in {"", "ai.onnx"})
    if version >= OPSET_MIN:
        return model, f"opset {version} kept"
    try:
        raised = onnx.version_converter.convert_version(model, OPSET_MIN)
        onnx.checker.check_model(raised)
    except Exception as error:  # the converter raises RuntimeError, ValueError and its own
        lines = str(error).strip().splitlines()
        return model, f"opset {version} kept: the converter refused it ({lines[0][:120] if lines else 'no reason'})"
    del raised.metadata_props[:]
    raised.metadata_props.extend(model.metadata_props)
    return raised, f"opset {version} raised to {OPSET_MIN}"


def fix_shapes(file: str, model: onnx.ModelProto, size_hw: tuple[int, int] | None) -> tuple[onnx.ModelProto, str]:
    """Batch 1 and fixed height and width; shapes further in are inferred anew.

    Raises: ModelUnrecognisedError: a side is open and nobody said how large it is, or it is fixed to another size.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    image = image_input(fixed)
    dims = image.type.tensor_type.shape.dim
    if len(dims) not in {3, 4}:
        raise ModelUnrecognisedError(
            file, f"input '{image.name}' has {len(dims)} axes; a picture has three or, with a batch, four"
        )
    before = [dim.dim_value for dim in dims]
    channels_last = before[-1] in {1, 3} and before[-3] not in {1, 3}
    height_at, width_at = (-3, -2) if channels_last else (-2, -1)
    wanted = dict(zip((height_at, width_at), size_hw or (0, 0), strict=True))
    if len(dims) == 4:
        _take_one_picture(file, image.name, dims[0])
    for at, name in ((height_at, "height"), (width_at, "width")):
        if not wanted[at] and not dims[at].dim_value:
            raise ModelUnrecognisedError(
                file, f"leaves its {name} open; pass --size HEIGHTxWIDTH (for example --size 640x640)"
            )
        _fix(file, image.name, dims[at], wanted[at] or dims[at].dim_value)
    if dims[-1 if channels_last else -3].dim_value not in {0, 3}:
        raise ModelUnrecognisedError(
            file, f"input '{image.name}' is {before}: pictures have 3 channels, this has another count"
        )
    _fix(file, image.name, dims[-1 if channels_last else -3], 3)
    for item in graph_inputs(fixed):
        for dim in item.type.tensor_type.shape.dim:
            if not dim.dim_value:
                _fix(file, item.name, dim, 1)
    after = [dim.dim_value for dim in dims]
    if after == before:
        return fixed, f"input {after} kept"
    _forget_shapes(fixed)
    return onnx.shape_inference.infer_shapes(fixed, data_prop=True), f"input fixed to {after}"


def keep_outputs(
    model: onnx.ModelProto, names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]
) -> onnx.ModelProto:
    """The model with only these outputs, in this order, their shapes written down (-1 = open), dead nodes cut."""
    by_name = {item.name: item for item in model.graph.output}
    kept = [onnx.ValueInfoProto.FromString(by_name[name].SerializeToString()) for name in names]
    for item in kept:
        dims = [f"{item.name}_{axis}" if side < 0 else side for axis, side in enumerate(shapes[item.name])]
        item.CopyFrom(onnx.helper.make_tensor_value_info(item.name, item.type.tensor_type.elem_type, dims))
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    del cut.graph.output[:]
    cut.graph.output.extend(kept)
    _prune(cut)
    return cut


def bake_inputs(model: onnx.ModelProto, values: Mapping[str, Any]) -> onnx.ModelProto:
    """Replace further inputs (picture size, thresholds) by constants of their own type."""
    if not values:
        return model
    baked = onnx.ModelProto()
    baked.CopyFrom(model)
    for item in list(baked.graph.input):
        if item.name in values:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type)
            shape = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
            array = np.asarray(values[item.name], dtype).reshape(shape)
            baked.graph.initializer.append(onnx.numpy_helper.from_array(array, item.name))
            baked.graph.input.remove(item)
    return baked


def output_shapes(model: onnx.ModelProto, measured: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs: as inferred, else as measured in a run; -1 where the picture decides."""
    open_sizes = any(node.op_type in _DATA_DEPENDENT for node in model.graph.node)
    shapes = {}
    for item in model.graph.output:
        known = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        ran = measured[item.name]
        if len(known) != len(ran):
            known = [0] * len(ran)
        shapes[item.name] = tuple(
            side if side > 0 and side == seen else (-1 if open_sizes else seen)
            for side, seen in zip(known, ran, strict=True)
        )
    return shapes


def _take_one_picture(file: str, name: str, batch: Any) -> None:
    if batch.dim_value > 1:
        raise ModelUnrecognisedError(
            file, f"takes {batch.dim_value} pictures at once; export it with a batch of 1 or an open one"
        )
    _fix(file, name, batch, 1)


def _fix(file: str, name: str, dim: Any, side: int) -> None:
    if dim.dim_value > 0 and dim.dim_value != side:
        raise ModelUnrecognisedError(
            file, f"input '{name}' is fixed to {dim.dim_value} where {side} was asked for; leave --size away"
        )
    dim.Clear()
    dim.dim_value = side


def _forget_shapes(model: onnx.ModelProto) -> None:
    del model.graph.value_info[:]
    for item in model.graph.output:
        item.type.tensor_type.ClearField("shape")


def _prune(model: onnx.ModelProto) -> None:
    # Weights that are listed as inputs too (IR 3), read or not, would stay overridable and could not be folded.
    weights = {tensor.name for tensor in model.graph.initializer}
    needed = {item.name for item in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(reads(node))
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    _keep_only(model.graph.initializer, needed)
    _keep_only(model.graph.value_info, needed | {name for node in kept for name in node.output})
    for item in [item for item in model.graph.input if item.name in weights]:
        model.graph.input.remove(item)


def _keep_only(items: Any, names: set[str]) -> None:
    kept = [item for item in items if item.name in names]
    del items[:]
    items.extend(kept)
