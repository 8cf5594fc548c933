"""``synthetic://conveyor?seed=1&fps=30``: which scene to render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

from vigie.errors import SyntheticSourceError

SCHEME: Final = "synthetic"
SCENES: Final = ("conveyor",)

Difficulty = Literal["normal", "hard"]
DIFFICULTIES: Final[tuple[Difficulty, ...]] = get_args(Difficulty)

FPS_MAX: Final = 240.0
SEED_MAX: Final = 2**63 - 1
# Below this a part has too few pixels to be anything; above, a strip of belt alone takes hundreds of megabytes.
SIDE_MIN: Final = 64
SIDE_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """Everything that decides the pixels of a scene. ``size_wh`` in pixels, ``fps`` in frames per second."""

    scene: str = "conveyor"
    seed: int = 1
    fps: float = 30.0
    size_wh: tuple[int, int] = (640, 480)
    difficulty: Difficulty = "normal"


def parse_url(url: str) -> SceneSpec:
    """Read a source URL.

    Raises: SyntheticSourceError: another scheme or scene, an unknown or doubled key, a value out of range; its text
    names the key and what is allowed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as bad:
        raise SyntheticSourceError(url, "scene", f"expected one of {', '.join(SCENES)}; {bad}") from None
    if parts.scheme != SCHEME:
        raise SyntheticSourceError(url, "scheme", f"expected '{SCHEME}://', got '{parts.scheme}://'")
    scene = parts.netloc or parts.path.strip("/")
    if scene not in SCENES or (parts.netloc and parts.path.strip("/")):
        raise SyntheticSourceError(url, "scene", f"expected one of {', '.join(SCENES)}, got {scene + parts.path!r}")
    values: dict[str, object] = {"scene": scene}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        reader = _READERS.get(key)
        if reader is None:
            raise SyntheticSourceError(url, key, f"unknown key; known are {', '.join(_READERS)}")
        field, read = reader
        if field in values:
            raise SyntheticSourceError(url, key, "is given twice; keep one")
        try:
            values[field] = read(text)
        except ValueError as bad:
            raise SyntheticSourceError(url, key, str(bad)) from None
    return SceneSpec(**values)  # type: ignore[arg-type]  # each reader returns its field's type


def _read_seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > SEED_MAX:
        raise ValueError(f"expected a whole number 0..{SEED_MAX}, got {text!r}")
    return int(text)


def _read_fps(text: str) -> float:
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0.1 <= fps <= FPS_MAX:
        raise ValueError(f"expected 0.1..{FPS_MAX:g} frames per second, got {text!r}")
    return fps


def _read_size(text: str) -> tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise ValueError(f"expected WIDTHxHEIGHT such as 640x480, got {text!r}")
    size = (int(width), int(height))
    if not all(SIDE_MIN <= side <= SIDE_MAX for side in size):
        raise ValueError(f"each side must be {SIDE_MIN}..{SIDE_MAX} pixels, got {text!r}")
    return size


def _read_difficulty(text: str) -> Difficulty:
    for difficulty in DIFFICULTIES:
        if text == difficulty:
            return difficulty
    raise ValueError(f"expected one of {', '.join(DIFFICULTIES)}, got {text!r}")


_READERS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "seed": ("seed", _read_seed),
    "fps": ("fps", _read_fps),
    "size": ("size_wh", _read_size),
    "difficulty": ("difficulty", _read_difficulty),
}
