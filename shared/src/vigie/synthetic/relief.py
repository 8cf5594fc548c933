"""What a thing on the belt is made of: a height over the belt, a silhouette, a material."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vigie.synthetic.canvas import Floats, Mask


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface answers light. ``bgr`` 0..255; the shares need not sum to one.

    ``mirror``: share of the hall around it that it reflects; ``gloss``: strength of the lamp's highlight, whose width
    is cos^(2^``sharpness``); ``grain``: how much its brightness varies from place to place.
    """

    bgr: tuple[float, float, float]
    ambient: float = 0.35
    diffuse: float = 0.55
    mirror: float = 0.5
    gloss: float = 150.0
    sharpness: int = 5
    grain: float = 0.05


STEEL: Final = Material((172, 170, 166))
ZINC: Final = Material((196, 190, 178), mirror=0.6)
YELLOW_ZINC: Final = Material((112, 176, 206), mirror=0.5)
BRASS: Final = Material((84, 160, 204), mirror=0.55, gloss=130)
BLACK_OXIDE: Final = Material((58, 54, 52), ambient=0.5, mirror=0.5, gloss=110, sharpness=4)
COPPER: Final = Material((82, 116, 196), mirror=0.5)
RUSTY: Final = Material((60, 88, 134), ambient=0.4, diffuse=0.7, mirror=0.15, gloss=30, sharpness=3, grain=0.3)
CAST: Final = Material((112, 112, 110), ambient=0.4, diffuse=0.7, mirror=0.2, gloss=50, sharpness=3, grain=0.16)
NYLON: Final = Material((214, 222, 226), ambient=0.45, diffuse=0.5, mirror=0.05, gloss=60, sharpness=3, grain=0.02)
RUBBER: Final = Material((40, 38, 38), ambient=0.6, diffuse=0.6, mirror=0.1, gloss=40, sharpness=2, grain=0.06)
SEAL_BROWN: Final = Material((46, 66, 112), ambient=0.55, diffuse=0.5, mirror=0.1, gloss=40, sharpness=2, grain=0.04)
PAPER: Final = Material((218, 228, 232), ambient=0.5, diffuse=0.5, mirror=0.0, gloss=0, grain=0.03)
CARDBOARD: Final = Material((110, 154, 186), ambient=0.45, diffuse=0.55, mirror=0.0, gloss=0, grain=0.08)
WOOD: Final = Material((84, 128, 164), ambient=0.45, diffuse=0.55, mirror=0.0, gloss=10, grain=0.14)


@dataclass(frozen=True, slots=True)
class Relief:
    """One thing, unlit. All arrays have the canvas's shape.

    ``height``: float32 in units (half lengths) over the belt, only read where ``inside``; ``second``: a second
    material and where it is; ``tint``: float32 factor of the surface's brightness (printing, scratches).
    """

    height: Floats
    inside: Mask
    material: Material
    second: tuple[Material, Mask] | None = None
    tint: Floats | None = None
