"""The renderer as a camera: frame n of the scene is the n-th frame of this opening. Drawn straight into its slot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vigie.contracts.pixels import PixelFormat
from vigie.synthetic import open_scene, parse_url
from vigie.vision.planes import Planes
from vigie_camera.decode.backend import Damage
from vigie_camera.decode.frame import Frame


class SceneSource:
    """Endless."""

    def __init__(self, url: str) -> None:
        """Nothing is drawn yet."""
        import cv2

        cv2.setNumThreads(1)
        spec = parse_url(url)
        self._scene = open_scene(spec)
        self.period_s = 1 / spec.fps
        self.promised = 0
        self.decoder = "synthetic"
        self.damage = Damage()
        self._index = -1

    def next(self) -> Frame:
        self._index += 1
        index, time_s = self._index, self._index * self.period_s

        def draw(planes: Planes) -> None:
            self._scene.render(index, planes.arrays[0])

        return Frame(PixelFormat("bgr", self._scene.size_hw), time_s, time_s, draw)

    def rewind(self) -> bool:
        self._index = -1
        return True

    def watch(self, watcher: Callable[[Any], None]) -> None:
        """Nothing was ever encoded."""
