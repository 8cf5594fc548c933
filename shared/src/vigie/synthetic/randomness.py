"""Seeded randomness that is the same on every machine and can be asked for in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

T = TypeVar("T")

_MASK64: Final = (1 << 64) - 1


class Dice:
    """One stream of numbers for one key.

    Only ``random()`` of PCG64 is used: its stream is fixed by the algorithm, while NumPy may change how other
    distributions consume it (NEP 19).
    """

    def __init__(self, *key: int) -> None:
        """Any integers, negative ones included, name the stream."""
        entropy = [2 * k if k >= 0 else -2 * k - 1 for k in key]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._generator.random())

    def chance(self, probability: float) -> bool:
        return float(self._generator.random()) < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number in low..high, both included."""
        return low + int(float(self._generator.random()) * (high - low + 1))

    def choose(self, items: Sequence[T]) -> T:
        return items[self.whole(0, len(items) - 1)]

    def field(self, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """``shape`` float32, each 0..1."""
        return self._generator.random(shape).astype(np.float32)

    def bell(self, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """``shape`` float32, bell-shaped with mean 0 and deviation 1: three uniforms summed, sums only, so exact."""
        total = self._generator.random(shape) + self._generator.random(shape) + self._generator.random(shape)
        return ((total - 1.5) * 2.0).astype(np.float32)


def hash_index(seed: int, index: int) -> int:
    """64 well-mixed bits of ``(seed, index)``: what a frame needs, at the price of a few multiplications.

    Source: splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    z = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)
