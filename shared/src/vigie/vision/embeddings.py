"""Embeddings as messages hold them, and how alike two of them are."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

# Two embeddings of one picture that differ by this cosine have lost half of their likeness: what rounding and 8-bit
# weights move stays above 0.99, another person's is below 0.7.
_HALF_AT = 0.9


def to_text(vector: NDArray[np.float32]) -> str:
    """(D,) -> base64 of little-endian float16; a number of a vector of length 1 loses at most 0.0003."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")


def from_text(text: str) -> NDArray[np.float32]:
    """The inverse of ``to_text``. Raises: ValueError: not base64, or not of whole numbers."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)


def cosine_matrix(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M) cosines of vectors of length 1, -1..1."""
    return np.asarray(np.clip(left @ right.T, -1.0, 1.0), np.float32)


def embedding_likeness(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M), 0..1: 1 for one and the same, 0.5 at a cosine of 0.9, 0 from 0.8 down.

    So "the same" at a likeness of 0.5, as for boxes, asks of a variant that its embeddings keep their neighbours.
    """
    apart = 1.0 - cosine_matrix(left, right)
    return np.asarray(np.clip(1.0 - apart * (0.5 / (1.0 - _HALF_AT)), 0.0, 1.0), np.float32)
