"""The reference frames of a bundle: inputs and the outputs they must give, in an npz that holds plain arrays only.

``input`` (N, H, W, 3) uint8; ``output_0``, ``output_1``, ... (N, *shape) in graph order. An output whose shape the
picture decides is written once a frame: ``output_0_frame_0``, ``output_0_frame_1``. Bundles made before 0.2 hold one
frame, as ``tensor`` (H, W, 3) and its outputs; they are read as one frame.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import BundleError, BundleIntegrityError, BundleSizeError
from vigie.models.bundle import Bundle, read_contained

# Unpacked, so that a small archive cannot fill the memory: 64 MiB hold a 2048 x 2048 input and its outputs, or
# eight frames of 640 x 640 of a detector.
REFERENCE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePair:
    """``tensor_hwc`` (H, W, 3) uint8 BGR; ``outputs`` in graph order, as the reference provider gave them."""

    tensor_hwc: NDArray[np.uint8]
    outputs: list[NDArray[Any]]


def write_reference(file: Path, pairs: Sequence[ReferencePair]) -> str:
    """Write the frames and return the sha256 of the file.

    Raises: ValueError: there is no frame, or they differ in size or in the number of outputs.
    """
    if not pairs or len({(pair.tensor_hwc.shape, len(pair.outputs)) for pair in pairs}) != 1:
        raise ValueError(f"expected at least one frame and all alike, got {len(pairs)}")
    arrays = {"input": np.stack([pair.tensor_hwc for pair in pairs])}
    for index in range(len(pairs[0].outputs)):
        column = [pair.outputs[index] for pair in pairs]
        if len({output.shape for output in column}) == 1:
            arrays[f"output_{index}"] = np.stack(column)
        else:
            arrays |= {f"output_{index}_frame_{frame}": output for frame, output in enumerate(column)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    file.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_reference(bundle: Bundle) -> list[ReferencePair]:
    """The frames of a verified bundle, at least one.

    Raises: BundleError: it has none, or the file is no such archive, or holds other frames than the card says.
        BundleSizeError: too large once unpacked. BundleIntegrityError: changed since the bundle was verified.
    """
    facts, folder = bundle.card.reference, str(bundle.folder)
    if facts is None:
        raise BundleError(folder, "has no reference frames; import the model again to get some")
    content = read_contained(bundle.folder, facts.file, limit=REFERENCE_BYTES_MAX)
    digest = hashlib.sha256(content).hexdigest()
    if digest != facts.sha256:
        raise BundleIntegrityError(folder, facts.file, expected=facts.sha256, got=digest)
    try:
        arrays = _arrays(content, folder, facts.file)
        tensors, columns = _unpack(arrays, len(bundle.card.outputs))
    except BundleError:
        raise
    except Exception as error:  # a hostile archive makes zipfile and NumPy raise MemoryError, AttributeError, ...
        raise BundleError(folder, f"{facts.file} holds no reference frames: {error}") from error
    shape = (facts.samples, bundle.card.input.height, bundle.card.input.width, 3)
    if tensors.shape != shape or tensors.dtype != np.uint8:
        raise BundleError(folder, f"{facts.file}: expected an input {shape} uint8, got {tensors.shape} {tensors.dtype}")
    return [ReferencePair(tensor, [column[frame] for column in columns]) for frame, tensor in enumerate(tensors)]


def _arrays(content: bytes, folder: str, file: str) -> dict[str, NDArray[Any]]:
    """Raises: BundleSizeError; whatever zipfile and NumPy make of hostile bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > REFERENCE_BYTES_MAX:
        raise BundleSizeError(folder, f"{file} unpacks to {unpacked} bytes, at most {REFERENCE_BYTES_MAX} are read")
    with np.load(io.BytesIO(content), allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


def _unpack(
    arrays: Mapping[str, NDArray[Any]], output_count: int
) -> tuple[NDArray[np.uint8], list[list[NDArray[Any]]]]:
    """Inputs (N, H, W, 3), and for each output its N arrays. Raises: KeyError, ValueError: something is missing."""
    if "tensor" in arrays:
        return arrays["tensor"][None], [[arrays[f"output_{index}"]] for index in range(output_count)]
    tensors = arrays["input"]
    if tensors.ndim != 4:
        raise ValueError(f"'input' has the shape {tensors.shape}")
    columns: list[list[NDArray[Any]]] = []
    for index in range(output_count):
        name = f"output_{index}"
        if name in arrays:
            column = list(arrays[name])
        else:
            column = [arrays[f"{name}_frame_{frame}"] for frame in range(len(tensors))]
        if len(column) != len(tensors):
            raise ValueError(f"'{name}' has {len(column)} frames, 'input' {len(tensors)}")
        columns.append(column)
    return tensors, columns
