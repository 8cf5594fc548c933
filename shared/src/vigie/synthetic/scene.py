"""A scene: frames and truth by number, in any order, the same on every machine."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigie.synthetic.shot import HARD_REGIMES, Regime, Shot
from vigie.synthetic.truth import MIN_VISIBLE, PartTruth
from vigie.synthetic.url import SceneSpec, parse_url

# The hard split is a fixed round of shots, each with its own belt, light and trouble; one is three seconds at 30 fps.
HARD_SHOT_FRAMES: Final = 90
_SHOTS_KEPT: Final = 3


class Scene:
    """What ``synthetic://...`` shows. Not for several threads at once: it keeps what it drew."""

    def __init__(self, spec: SceneSpec) -> None:
        """Nothing is drawn before the first frame is asked for."""
        self.spec = spec
        self.fps = spec.fps
        self.size_hw = (spec.size_wh[1], spec.size_wh[0])
        self._shots: OrderedDict[int, Shot] = OrderedDict()

    def render(self, index: int, out_bgr: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Frame ``index`` (from 0), (H, W, 3) uint8 BGR; into ``out_bgr`` if given, which is then returned."""
        frame_bgr = np.empty((*self.size_hw, 3), np.uint8) if out_bgr is None else out_bgr
        if frame_bgr.shape != (*self.size_hw, 3) or frame_bgr.dtype != np.uint8:
            raise ValueError(f"expected {(*self.size_hw, 3)} uint8, got {frame_bgr.shape} {frame_bgr.dtype}")
        shot, within = self.shot(index)
        shot.render_into(frame_bgr, within)
        return frame_bgr

    def truth(self, index: int, *, min_visible: float = MIN_VISIBLE) -> list[PartTruth]:
        """Every part of frame ``index`` of which at least ``min_visible`` (0..1) can be seen, lowest first.

        What is left out by the default is still in the pixels: a judge of detections asks again with
        ``min_visible=0`` and counts detections of those parts neither right nor wrong.
        """
        shot, within = self.shot(index)
        return shot.truth(within, min_visible)

    def regime(self, index: int) -> Regime:
        """Which trouble frame ``index`` of the hard split has; ``normal`` in the normal scene."""
        if self.spec.difficulty == "normal":
            return "normal"
        return HARD_REGIMES[index // HARD_SHOT_FRAMES % len(HARD_REGIMES)]

    def shot(self, index: int) -> tuple[Shot, int]:
        """The shot that frame ``index`` is in, and the frame's number within it.

        Raises: ValueError: a negative index.
        """
        if index < 0:
            raise ValueError(f"frames are numbered from 0, got {index}")
        number, within = (0, index) if self.spec.difficulty == "normal" else divmod(index, HARD_SHOT_FRAMES)
        shot = self._shots.get(number)
        if shot is None:
            shot = self._shots[number] = Shot(self.spec, number, self.regime(index))
            while len(self._shots) > _SHOTS_KEPT:
                self._shots.popitem(last=False)
        self._shots.move_to_end(number)
        return shot, within


def open_scene(source: str | SceneSpec) -> Scene:
    """The scene of a ``synthetic://`` URL.

    Raises: SyntheticSourceError: see :func:`vigie.synthetic.url.parse_url`.
    """
    return Scene(parse_url(source) if isinstance(source, str) else source)
