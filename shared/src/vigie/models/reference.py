"""The reference pair of a bundle: one input and the outputs it must give, in an npz that holds plain arrays only."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigie.errors import BundleError, BundleIntegrityError, BundleSizeError
from vigie.models.bundle import Bundle, read_contained

# Unpacked, so that a small archive cannot fill the memory: 64 MiB hold a 2048 x 2048 input and its outputs.
REFERENCE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePair:
    """``tensor_hwc`` (H, W, 3) uint8 BGR; ``outputs`` in graph order, as the reference provider gave them."""

    tensor_hwc: NDArray[np.uint8]
    outputs: list[NDArray[Any]]


def write_reference(file: Path, tensor_hwc: NDArray[np.uint8], outputs: Sequence[NDArray[Any]]) -> str:
    """Write the pair and return the sha256 of the file."""
    arrays = {f"output_{index}": output for index, output in enumerate(outputs)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, tensor=tensor_hwc, **arrays)
    file.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def read_reference(bundle: Bundle) -> ReferencePair:
    """The pair of a verified bundle.

    Raises: BundleError: it has none, or the file is no such archive. BundleSizeError: too large once unpacked.
        BundleIntegrityError: changed since the bundle was verified.
    """
    facts, folder = bundle.card.reference, str(bundle.folder)
    if facts is None:
        raise BundleError(folder, "has no reference pair; import the model again to get one")
    content = read_contained(bundle.folder, facts.file, limit=REFERENCE_BYTES_MAX)
    digest = hashlib.sha256(content).hexdigest()
    if digest != facts.sha256:
        raise BundleIntegrityError(folder, facts.file, expected=facts.sha256, got=digest)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > REFERENCE_BYTES_MAX:
            raise BundleSizeError(
                folder, f"{facts.file} unpacks to {unpacked} bytes, at most {REFERENCE_BYTES_MAX} are read"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            tensor = arrays["tensor"]
            outputs = [arrays[f"output_{index}"] for index in range(len(arrays.files) - 1)]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise BundleError(folder, f"{facts.file} is no reference pair: {error}") from error
    shape = (bundle.card.input.height, bundle.card.input.width, 3)
    if tensor.shape != shape or tensor.dtype != np.uint8:
        raise BundleError(folder, f"{facts.file}: expected an input {shape} uint8, got {tensor.shape} {tensor.dtype}")
    return ReferencePair(tensor, outputs)
