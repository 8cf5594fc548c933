"""Which views of a camera's frames the model gets, by twin, and what is reported of it. No I/O, no pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vigie.contracts.inputspec import InputSpec, NamedSpec, SampledSpec
from vigie.contracts.tensors import Merge
from vigie.errors import ConfigRefusedError
from vigie.vision.tiles import Box, Grid, plan_views
from vigie_preprocess.config import Region

REPORTED = "region_state"
# Of a camera's side: less is a slip of the pen, and nothing could be seen in it.
SIDE_MIN = 0.01
# Frames of a camera whose tensors are in shared memory: one is written, one waits, two are on their way.
FRAMES_PER_CAMERA = 4
# Frames of a camera of which none may be lost that are on their way at most: fewer than its slots.
KEPT_AT_A_TIME = 3


def check_regions(regions: Mapping[str, Region]) -> None:
    """Raises: ConfigRefusedError: a box that shows nothing."""
    for camera, region in regions.items():
        left, top, right, bottom = region.box
        if right - left < SIDE_MIN or bottom - top < SIDE_MIN:
            raise ConfigRefusedError(
                f"$.regions.{camera}.box",
                f"expected left < right and top < bottom, at least {SIDE_MIN} apart; got {list(region.box)}",
            )


class Regions:
    """The regions in force; replaced as a whole by ``take``. Used from one thread."""

    def __init__(self) -> None:
        """None: every camera's whole picture."""
        self._regions: Mapping[str, Region] = {}
        self._planned: dict[tuple[str, tuple[int, int]], tuple[Box, ...]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}

    def take(self, regions: Mapping[str, Region]) -> bool:
        """From the next frame on; whether they are others than before."""
        changed = regions != self._regions
        if changed:
            self._regions, self._planned = regions, {}
        return changed

    def counts(self) -> set[int]:
        """How many views a frame of some camera has, where it has several."""
        return {count for region in self._regions.values() if (count := _count(region)) > 1}

    def tiled(self, camera: str) -> bool:
        """Whether frames of ``camera`` are wanted in several views."""
        return _count(self._regions.get(camera)) > 1

    def merge(self, camera: str) -> Merge:
        """How what is seen in several views of ``camera`` becomes one."""
        tiles = self._tiles(camera)
        return "nmm" if tiles is None else tiles.merge

    def views(
        self, camera: str, frame_hw: tuple[int, int], spec: InputSpec | NamedSpec | SampledSpec
    ) -> tuple[Box, ...]:
        """Boxes of a frame to fit, in its pixels; none: the frame as it is."""
        region = self._regions.get(camera)
        if region is None:
            return ()
        self._sizes[camera] = frame_hw
        if not spec.views and region.tiles is not None:
            return self._plan(camera, frame_hw, region.box, None)
        return self._plan(camera, frame_hw, region.box, region)

    def slots(self, camera: str) -> int:
        """Slots of the ring that holds the tensors of ``camera`` and of cameras with as many views."""
        mine = _count(self._regions.get(camera))
        alike = sum(_count(region) == mine for region in self._regions.values())
        return FRAMES_PER_CAMERA * max(1, alike) + 2

    def state(self, spec_of: Callable[[str], InputSpec | NamedSpec | None]) -> dict[str, dict[str, Any]]:
        """By camera of the twin: ``state`` is ``waiting`` (for a frame or a model), ``in_force`` or ``untiled``.

        Args: spec_of: what frames of a camera are fitted to.
        """
        return {camera: self._state(camera, region, spec_of(camera)) for camera, region in self._regions.items()}

    def _state(self, camera: str, region: Region, spec: InputSpec | NamedSpec | None) -> dict[str, Any]:
        frame_hw = self._sizes.get(camera)
        if spec is None or frame_hw is None:
            return {"state": "waiting"}
        boxes = self.views(camera, frame_hw, spec)
        told: dict[str, Any] = {"state": "in_force", "frame_hw": list(frame_hw), "views": len(boxes)}
        if region.tiles is not None and not spec.views:
            told |= {"state": "untiled", "reason": "the model, or the inference module's version, takes no tiles"}
        elif len(boxes) > 1:
            left, top, right, bottom = boxes[-1]
            told |= {"tile_hw": [bottom - top, right - left], "merge": self.merge(camera)}
        return told

    def _plan(
        self, camera: str, frame_hw: tuple[int, int], box: tuple[float, float, float, float], tiled: Region | None
    ) -> tuple[Box, ...]:
        key = (f"{camera}/{tiled is not None}", frame_hw)
        known = self._planned.get(key)
        if known is None:
            tiles = None if tiled is None else tiled.tiles
            grid = None if tiles is None else Grid(tiles.columns, tiles.rows, tiles.overlap, tiles.whole)
            known = self._planned[key] = plan_views(frame_hw, box, grid)
        return known

    def _tiles(self, camera: str) -> Any:
        region = self._regions.get(camera)
        return None if region is None else region.tiles


def _count(region: Region | None) -> int:
    if region is None or region.tiles is None:
        return 1
    return region.tiles.columns * region.tiles.rows + region.tiles.whole
