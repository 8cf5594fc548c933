"""What the configured cameras will send and hold, from the twin alone: frame sizes, rates, rings."""

from __future__ import annotations

import msgspec

from vigie.errors import SyntheticSourceError
from vigie.frames.space import ring_bytes
from vigie.synthetic.url import SCHEME, parse_url
from vigie_devkit.manifest.lint.deployment import Assumptions, Module

_DEFAULT_SLOTS = 8
_CHANNELS = 3
_DEFAULT_TENSOR_SLOTS = 24


class CameraPlan(msgspec.Struct, frozen=True):
    """``assumed``: the frame size is not in the manifest. ``shared``: its pixels lie in shared memory."""

    name: str
    size_wh: tuple[int, int]
    fps: float
    slots: int
    shared: bool
    assumed: bool

    @property
    def ring_bytes(self) -> int:
        width, height = self.size_wh
        return ring_bytes(slots=self.slots, slot_bytes=width * height * _CHANNELS) if self.shared else 0

    @property
    def megapixels_of_1080p(self) -> float:
        return self.size_wh[0] * self.size_wh[1] / (1920 * 1080)


def camera_plans(module: Module, assumed: Assumptions) -> list[CameraPlan]:
    """The cameras of a camera module's desired properties; what does not decode is left to the twin's own rules."""
    cameras = module.desired.get("cameras")
    if not isinstance(cameras, dict):
        return []
    return [_plan(name, settings, assumed) for name, settings in cameras.items() if isinstance(settings, dict)]


def _plan(name: str, settings: dict[str, object], assumed: Assumptions) -> CameraPlan:
    size_wh, fps, known = assumed.frame_wh, assumed.fps, False
    source = settings.get("source")
    if isinstance(source, str) and source.startswith(f"{SCHEME}:"):
        try:
            scene = parse_url(source)
        except SyntheticSourceError:
            pass  # another rule's finding
        else:
            size_wh, fps, known = scene.size_wh, scene.fps, True
    limit = settings.get("fps")
    slots = settings.get("slots")
    return CameraPlan(
        name=name,
        size_wh=size_wh,
        fps=min(fps, float(limit)) if isinstance(limit, int | float) else fps,
        slots=slots if isinstance(slots, int) else _DEFAULT_SLOTS,
        shared=settings.get("transport", "shared") == "shared",
        assumed=not known,
    )


def tensor_ring_bytes(module: Module, assumed: Assumptions) -> int:
    """The tensor ring of a preprocess module; the model's input is not in the manifest, so its size is assumed."""
    slots = module.desired.get("slots", _DEFAULT_TENSOR_SLOTS)
    width, height = assumed.input_wh
    count = slots if isinstance(slots, int) else _DEFAULT_TENSOR_SLOTS
    return ring_bytes(slots=count, slot_bytes=width * height * _CHANNELS)
