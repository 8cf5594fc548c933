"""The renderer as a camera: frame n of the scene is the n-th frame of this opening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic import SceneSpec, open_scene


class SyntheticSource:
    """Endless. Drawn straight into the slot it is sent from."""

    def __init__(self, spec: SceneSpec) -> None:
        """Nothing is drawn yet."""
        self._scene = open_scene(spec)
        self.period_s = 1 / spec.fps
        self._index = -1

    def grab(self) -> float | None:
        self._index += 1
        return self._index * self.period_s

    def read(self, out_bgr: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        fits = out_bgr is not None and out_bgr.shape == (*self._scene.size_hw, 3)
        return self._scene.render(self._index, out_bgr if fits else None)

    def size_hw(self) -> tuple[int, int]:
        return self._scene.size_hw

    def rewind(self) -> bool:
        self._index = -1
        return True

    def close(self) -> None:
        self._index = -1
